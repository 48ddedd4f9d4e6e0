"""The measured part of a certificate, computed from the evidence alone: the issuer and every verifier call this."""

from collections.abc import Mapping
from typing import Any

from netwright.artifacts.certificate import RefusedError
from netwright.artifacts.report import REPORT
from netwright.certificates.evidence import SPLITS, Evidence
from netwright.certificates.method import Method
from netwright.certificates.metrics import class_values, overall_values
from netwright.certificates.resampling import Resampled, points_between, resample, with_intervals
from netwright.certificates.steps import Row, certified_rows
from netwright.deployment.latency import median_ratio, percentiles
from netwright.evaluation.evaluation import Evaluation

SAME = 1e-9  # numbers computed twice from the same files
_REPORTED = ("map50_95", "map50")
_COPIED = ("model", "precision", "size_bytes", "params", "macs")
_CIRCUMSTANCES = ("runtime", "runtime_version", "device", "precision_used", "threads", "batch")
_PARITY = ("compared_in", "images", "matched", "points_val")


def measured(evidence: Evidence, method: Method) -> dict[str, Any]:
    """``accuracy``, ``speed``, ``lineage`` and ``parity`` of the certificate.

    Raises UserError where the evidence is incomplete, RefusedError where a certified row was not measured.
    """
    report = evidence.report
    rows = certified_rows(evidence.rows, report["baseline"], report["deployed"])
    found = {(name, split): evidence.evaluation(name, split) for name in rows for split in SPLITS}
    resampled = {key: resample(evaluation, method) for key, evaluation in found.items()}
    deployed = report["deployed"]
    return {
        "accuracy": {split: _accuracy(found[deployed, split], resampled[deployed, split], method) for split in SPLITS},
        "speed": _speed(evidence, rows[deployed], deployed),
        "lineage": [_step(evidence, name, row, method, found=found, resampled=resampled) for name, row in rows.items()],
        "parity": [_parity(name, row) for name, row in evidence.rows.items() if row["status"] != "not_run"],
    }


def check_report(evidence: Evidence) -> None:
    """Raise RefusedError where a certified row of the report is not as accurate as its raw detections."""
    report = evidence.report
    for name, row in certified_rows(evidence.rows, report["baseline"], report["deployed"]).items():
        for split in SPLITS:
            found = overall_values(evidence.evaluation(name, split), _REPORTED)
            for metric, value in found.items():
                if value is None or abs(value - row[split][metric]) > SAME:
                    raise RefusedError(
                        f"{REPORT} has {metric} {row[split][metric]} of {name} on {split}, "
                        f"its raw detections give {value}"
                    )


def _accuracy(evaluation: Evaluation, resampled: Resampled, method: Method) -> dict[str, Any]:
    truth = evaluation.truth
    boxes = {name: sum(int((labels == n).sum()) for labels in truth.labels) for n, name in enumerate(truth.classes)}
    by_class = class_values(evaluation, method.metrics)
    return {
        "images": len(truth),
        "boxes": sum(boxes.values()),
        "overall": _overall(evaluation, resampled, method),
        "per_class": {
            name: {
                "boxes": boxes[name],
                "metrics": with_intervals(by_class[name], resampled.values[number], method.confidence),
            }
            for number, name in enumerate(truth.classes)
            if boxes[name]
        },
    }


def _overall(evaluation: Evaluation, resampled: Resampled, method: Method) -> dict[str, Any]:
    return with_intervals(overall_values(evaluation, method.metrics), resampled.overall(), method.confidence)


def _speed(evidence: Evidence, row: Row, name: str) -> dict[str, Any]:
    taken = evidence.timed(name).milliseconds
    latency = percentiles(taken)
    return {key: row[key] for key in _CIRCUMSTANCES} | {
        "latency_ms": latency,
        "latency_calls": len(taken),
        "throughput_ips": 1000 * row["batch"] / latency["p50"],
    }


def _step(
    evidence: Evidence,
    name: str,
    row: Row,
    method: Method,
    *,
    found: Mapping[tuple[str, str], Evaluation],
    resampled: Mapping[tuple[str, str], Resampled],
) -> dict[str, Any]:
    first = evidence.report["baseline"]
    step = {key: row[key] for key in _COPIED} | {
        "row": name,
        "epochs": evidence.report.get("epochs", {}).get(row["model"]),
        "speed": _speed(evidence, row, name),
    }
    step |= {split: _overall(found[name, split], resampled[name, split], method) for split in SPLITS}
    if name == first:
        return step
    ratio = median_ratio(evidence.timed(first), evidence.timed(name))
    return step | {
        "speedup": {"value": ratio.median, "low": ratio.low, "high": ratio.high},
        "points": {
            split: points_between(resampled[first, split], resampled[name, split], method.confidence)
            for split in SPLITS
        },
    }


def _parity(name: str, row: Row) -> dict[str, Any]:
    verdict = row["parity"]
    told = {key: verdict[key] for key in ("status", "reason", "reference")}
    return {"row": name} | told | {key: verdict[key] for key in _PARITY if key in verdict}
