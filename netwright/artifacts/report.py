"""The report contract: ``benchmark.json``, checked against benchmark.schema.json, and the flat metrics file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from netwright.artifacts.whole_file import write_json
from netwright.errors import UserError

REPORT, METRICS = "benchmark.json", "metrics.json"
SCHEMA = Path(__file__).with_name("benchmark.schema.json")
POINT = 0.01  # of mAP


def check_report(report: Mapping[str, Any]) -> None:
    """Raise ValueError, naming the place, where ``report`` breaks the schema or names a row that it has not."""
    schema = json.loads(SCHEMA.read_text("utf-8"))
    error = best_match(Draft202012Validator(schema).iter_errors(report))
    if error is not None:
        raise ValueError(f"{error.json_path}: {error.message}")
    names = [row_name(row) for row in report["rows"]]
    if len(set(names)) != len(names):
        raise ValueError(f"$.rows: two rows of one name among {names}")
    for which in ("deployed", "baseline"):
        if report[which] not in names:
            raise ValueError(f"$.{which}: {report[which]!r} is no row of the report")


def write_report(folder: Path, report: Mapping[str, Any]) -> None:
    """Check ``report``, then write benchmark.json and metrics.json whole into ``folder``."""
    check_report(report)
    write_json(folder / REPORT, report)
    write_json(folder / METRICS, flat_metrics(report))


def read_report(folder: Path) -> dict[str, Any]:
    """Read and check benchmark.json. Raises UserError where it is missing or damaged."""
    try:
        report: dict[str, Any] = json.loads((folder / REPORT).read_text("utf-8"))
        check_report(report)
    except FileNotFoundError:
        raise UserError(f"no {REPORT} in {folder}: run the benchmark stage first (dvc repro benchmark)") from None
    except ValueError as error:
        raise UserError(f"{folder / REPORT} is damaged ({error}): delete it and run dvc repro benchmark") from None
    return report


def row_name(row: Mapping[str, Any]) -> str:
    """``export@runtime``."""
    return f"{row['export']}@{row['runtime']}"


def flat_metrics(report: Mapping[str, Any]) -> dict[str, float]:
    """The headlines, flat with "/" in their names: DVC ignores lists, and MLflow uses the same names.

    A row that did not run gives no numbers; one that failed fails ``parity/passed`` too. ``points_lost`` is baseline
    minus deployed in points of mAP50-95.
    """
    rows = {row_name(row): row for row in report["rows"]}
    deployed, baseline = rows[report["deployed"]], rows[report["baseline"]]
    metrics = _row_metrics("deployed", deployed) | _row_metrics("baseline", baseline)
    if deployed["status"] == baseline["status"] == "ok":
        metrics |= report["comparison"]
        metrics["size_ratio"] = baseline["size_bytes"] / deployed["size_bytes"]
        metrics["macs_ratio"] = baseline["macs"] / deployed["macs"]
        for split in ("val", "test"):
            metrics[f"points_lost/{split}"] = (baseline[split]["map50_95"] - deployed[split]["map50_95"]) / POINT
    for runtime, ratio in report["pruning"].items():
        metrics |= {f"pruning/{runtime}/{name}": value for name, value in ratio.items()}
    verdicts = [row["parity"]["status"] if row["status"] == "ok" else row["status"] for row in report["rows"]]
    metrics["parity/passed"] = float("failed" not in verdicts and "passed" in verdicts)
    return metrics


def _row_metrics(role: str, row: Mapping[str, Any]) -> dict[str, float]:
    if row["status"] != "ok":
        return {}
    accuracies = {f"{split}/{name}": row[split][name] for split in ("val", "test") for name in ("map50_95", "map50")}
    latencies = {f"latency_ms/{name}": value for name, value in row["latency_ms"].items()}
    sizes = {name: row[name] for name in ("throughput_ips", "size_bytes", "params", "macs")}
    return {f"{role}/{name}": value for name, value in (accuracies | latencies | sizes).items()}
