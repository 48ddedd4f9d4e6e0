"""What benchmark.json says of the rows, and the raw files that every number of it can be recomputed from."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from netwright.data.feeding.pictures import PictureSet
from netwright.deployment.latency import median_ratio, percentiles, write_latencies
from netwright.deployment.row_parity import parity_report
from netwright.deployment.rows import Row
from netwright.evaluation.detections import write_detections


def speed_ratio(rows: Mapping[str, Row], slow: str, fast: str) -> dict[str, float]:
    """How many times faster row ``fast`` is than row ``slow``, with its interval; empty where one was not timed."""
    first, second = (rows[name].samples if name in rows else None for name in (slow, fast))
    if first is None or second is None:
        return {}
    ratio = median_ratio(first, second)
    return {"speedup": ratio.median, "speedup_low": ratio.low, "speedup_high": ratio.high}


def row_report(row: Row, *, input_size: tuple[int, int], batch: int) -> dict[str, Any]:
    """The row as benchmark.json has it."""
    entry = row.entry
    known = {name: getattr(entry, name) for name in ("file", "model", "precision", "encoding", "size_bytes")}
    report = known | {
        "export": entry.name,
        "params": entry.params,
        "macs": entry.macs,
        "runtime": row.runtime_name,
        "batch": batch,
        "input_size": list(input_size),
        "status": row.status,
        "parity": parity_report(row),
    }
    if row.status != "ok" or row.facts is None or row.samples is None:
        return report | {"reason": row.reason}
    latency = percentiles(row.samples.milliseconds)
    return report | {
        "runtime_version": row.facts.version,
        "precision_used": row.facts.precision_used,
        "device": row.facts.device,
        "threads": row.facts.threads,
        "val": asdict(row.accuracy["val"]),
        "test": asdict(row.accuracy["test"]),
        "latency_ms": latency,
        "latency_calls": len(row.samples.milliseconds),
        "throughput_ips": 1000 * batch / latency["p50"],
        "disturbed": row.disturbed,
    }


def write_raw(folder: Path, rows: Sequence[Row], splits: Mapping[str, PictureSet]) -> None:
    """Write detections.parquet (every row, split and picture) and latencies.parquet (every timed call)."""
    write_detections(
        folder / "detections.parquet",
        (
            (row.entry.name, row.runtime_name, split, picture, found)
            for row in rows
            for split, detections in row.found.items()
            for picture, found in zip(splits[split].names, detections, strict=True)
        ),
    )
    samples = {(row.entry.name, row.runtime_name): row.samples for row in rows if row.samples is not None}
    write_latencies(folder / "latencies.parquet", samples)
