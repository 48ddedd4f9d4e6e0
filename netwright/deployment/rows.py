"""The rows of a benchmark: every export on every runtime, opened, scored, timed and compared."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from netwright.artifacts.bundle import Bundle, ExportEntry
from netwright.artifacts.report import POINT
from netwright.data.pictures import PictureSet
from netwright.deployment.latency import Samples, measure, median_ratio, percentiles
from netwright.deployment.parity import (
    INT8_TOLERANCE,
    Parity,
    Tolerance,
    compare_outputs,
    judge_detections,
    matched_share,
    run_through,
)
from netwright.deployment.runtimes.available import open_runtime
from netwright.deployment.runtimes.protocol import Conditions, Runtime, RuntimeFacts, RuntimeMissingError, Source
from netwright.errors import UserError
from netwright.evaluation.coco import Accuracy, coco_accuracy
from netwright.evaluation.detect import detect
from netwright.evaluation.detections import Detections
from netwright.types import NmsPolicy

SECONDS_PER_ROW = 2.0  # of timing: slow rows take part in fewer rounds
TORCH_BATCH = 8  # pictures at once when torch is scored; it makes no difference to what it finds


@dataclass(eq=False)
class Row:
    """One export on one runtime and what became of it. ``runtime`` is None where it did not open."""

    entry: ExportEntry
    runtime_name: str
    source: Source
    status: str = "ok"
    reason: str = ""
    runtime: Runtime | None = None
    facts: RuntimeFacts | None = None
    found: dict[str, list[Detections]] = field(default_factory=dict)
    accuracy: dict[str, Accuracy] = field(default_factory=dict)
    samples: Samples | None = None
    disturbed: bool = False
    parity: Parity | None = None

    @property
    def name(self) -> str:
        """``export@runtime``."""
        return f"{self.entry.name}@{self.runtime_name}"

    def attempt(self, step: str, work: Callable[[], None]) -> None:
        """Do ``work`` unless the row is out already; whatever a vendor's runtime raises makes the row failed."""
        if self.runtime is None:
            return
        try:
            work()
        except Exception as error:  # noqa: BLE001  # one broken runtime must not take the others' results along
            self.fail(f"{step}: {type(error).__name__}: {error}")

    def fail(self, reason: str) -> None:
        """Take the row out, with its reason on one line."""
        self.runtime, self.status, self.reason = None, "failed", " ".join(reason.split())[:300]


def open_rows(
    bundle: Bundle,
    folder: Path,
    *,
    networks: Mapping[str, Callable[[], nn.Module]],
    runtimes: Sequence[str],
    conditions: Conditions,
    engines: Path,
) -> list[Row]:
    """Every export of ``folder`` on every runtime. ``networks`` loads the torch network of each model.

    Torch runs a model once, not once for each encoding. Raises UserError for an unknown runtime name.
    """
    sources = {
        entry.name: Source(onnx=folder / entry.file, network=networks[entry.model], engines=engines)
        for entry in bundle.exports
    }
    return [
        _opened(Row(entry, name, sources[entry.name]), conditions)
        for entry in bundle.exports
        for name in runtimes
        if name != "torch" or entry.encoding != "unsigned"
    ]


def score_rows(rows: Sequence[Row], splits: Mapping[str, PictureSet], policy: NmsPolicy, *, batch: int) -> None:
    """Detections and COCO accuracy of every split, through the runtime itself."""
    for row in rows:
        row.attempt("scoring", partial(_score, row, splits, policy, batch))


def time_rows(rows: Sequence[Row], pictures: PictureSet, *, batch: int, warmup: int, rounds: int) -> None:
    """Latency of one batch for every row that is still in, in turns. The caller holds the timing lock."""
    pixels = np.resize(pictures.pixels, (batch, *pictures.pixels.shape[1:])).astype(np.float32)
    calls = {row.name: _call(row.runtime, pixels) for row in rows if row.runtime is not None}
    samples = measure(calls, warmup=warmup, rounds=rounds, seconds_per_row=SECONDS_PER_ROW)
    for row in rows:
        row.samples = samples.get(row.name)


def compare_rows(rows: Sequence[Row], pictures: PictureSet, *, exact: Tolerance, conditions: Conditions) -> None:
    """Parity of every row that was scored with the torch row of the same model, on ``pictures``."""
    batches = _batches(pictures, conditions.batch)
    strict = replace(conditions, exact=True)
    for model in dict.fromkeys(row.entry.model for row in rows):
        mine = [row for row in rows if row.entry.model == model and row.runtime is not None]
        reference = next((row for row in mine if row.runtime_name == "torch"), None)
        if reference is None:
            continue
        torch_runtime = reference.runtime
        if torch_runtime is None or conditions.device != "cpu":
            torch_runtime = open_runtime("torch", reference.source, replace(strict, device="cpu"))
        expected = run_through(torch_runtime, batches)
        for row in mine:
            tolerance = exact if row.entry.precision == "fp32" else INT8_TOLERANCE
            if row is not reference:
                row.attempt("parity", partial(_compare, row, reference, expected, tolerance, batches, strict))


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
        "parity": _parity_report(row),
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


def _opened(row: Row, conditions: Conditions) -> Row:
    try:
        row.runtime = open_runtime(row.runtime_name, row.source, conditions)
        row.facts = row.runtime.describe()
    except RuntimeMissingError as missing:
        row.status, row.reason = "not_run", str(missing)
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001  # as in attempt
        row.fail(f"opening: {type(error).__name__}: {error}")
    return row


def _score(row: Row, splits: Mapping[str, PictureSet], policy: NmsPolicy, batch: int) -> None:
    if row.runtime is None:
        return
    size = TORCH_BATCH if row.runtime_name == "torch" else batch
    for split, pictures in splits.items():
        row.found[split] = detect(row.runtime.run, pictures, policy, batch_size=size)
        row.accuracy[split] = coco_accuracy(pictures, row.found[split])


def _call(runtime: Runtime, pixels: Any) -> Callable[[], object]:
    return lambda: runtime.run(pixels)


def _batches(pictures: PictureSet, size: int) -> list[Any]:
    """Whole batches of float pixels; at least one, repeating pictures when there are fewer."""
    count = max(len(pictures) // size, 1) * size
    pixels = np.resize(pictures.pixels, (count, *pictures.pixels.shape[1:])).astype(np.float32)
    return [pixels[start : start + size] for start in range(0, count, size)]


def _compare(
    row: Row, reference: Row, expected: Any, tolerance: Tolerance, batches: Sequence[Any], strict: Conditions
) -> None:
    if row.facts is None:
        return
    on_device = replace(strict, device=row.facts.device)
    candidate = run_through(open_runtime(row.runtime_name, row.source, on_device), batches)
    row.parity = judge_detections(
        compare_outputs(expected, candidate, tolerance),
        matched=matched_share(reference.found["val"], row.found["val"]),
        points=(row.accuracy["val"].map50_95 - reference.accuracy["val"].map50_95) / POINT,
        precision_used=row.facts.precision_used,
    )


def _parity_report(row: Row) -> dict[str, Any]:
    reference = f"torch network of models/{row.entry.model}"
    if row.parity is not None:
        found = {name: value for name, value in asdict(row.parity).items() if name != "passed"}
        return found | {"status": "passed" if row.parity.passed else "failed", "reference": reference}
    if row.runtime_name == "torch" and row.status == "ok":
        return {"status": "reference", "reference": reference, "reason": "it is the reference"}
    return {
        "status": "not_run",
        "reference": reference,
        "reason": row.reason or "torch is not among benchmark.runtimes",
    }


def first_pictures(pictures: PictureSet, count: int) -> PictureSet:
    """The first ``count`` pictures of the set, or all of them."""
    parts = {name: getattr(pictures, name)[:count] for name in ("names", "pixels", "geometries", "boxes", "labels")}
    return replace(pictures, **parts)
