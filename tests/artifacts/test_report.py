"""A report that breaks its schema is never written; the metrics file holds the headlines."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from netwright.artifacts.report import SCHEMA, check_report, flat_metrics, read_report, write_report
from netwright.errors import UserError


def row(export: str, runtime: str, map50_95: float, milliseconds: float, size: int, macs: int) -> dict[str, Any]:
    accuracy = {"map50_95": map50_95, "map50": 0.9, "per_class": {"a": map50_95}, "per_class50": {"a": 0.9}}
    return {
        "export": export,
        "file": f"{export}.onnx",
        "model": export.split("_", 1)[0],
        "precision": export.split("_", 2)[1],
        "encoding": "none",
        "runtime": runtime,
        "runtime_version": "1.0",
        "precision_used": "fp32",
        "device": "cpu",
        "threads": 2,
        "batch": 1,
        "input_size": [320, 320],
        "status": "ok",
        "val": accuracy,
        "test": accuracy,
        "latency_ms": dict.fromkeys(("p50", "p90", "p95", "p99"), milliseconds),
        "latency_calls": 10,
        "throughput_ips": 1000 / milliseconds,
        "size_bytes": size,
        "params": 100,
        "macs": macs,
        "parity": {"status": "passed", "reference": "torch", "reason": "equal"},
        "disturbed": False,
    }


def not_run(export: str, runtime: str) -> dict[str, Any]:
    kept = ("export", "file", "model", "precision", "encoding", "runtime", "batch", "input_size")
    full = row(export, runtime, 0, 1, 10, 10)
    return {name: full[name] for name in (*kept, "size_bytes", "params", "macs")} | {
        "status": "not_run",
        "reason": "no such package",
        "parity": {"status": "not_run", "reference": "torch", "reason": "no such package"},
    }


@pytest.fixture
def report() -> dict[str, Any]:
    return {
        "version": 1,
        "dataset": {"name": "digits", "classes": 10, "val": 5, "test": 6},
        "machine": {"cpu": "a processor", "cores": 2},
        "tools": {"torch": "2"},
        "deployed": "quantized_int8@openvino",
        "baseline": "trained_fp32@openvino",
        "comparison": {"speedup": 4.0, "speedup_low": 3.8, "speedup_high": 4.2},
        "pruning": {"openvino": {"speedup": 2.0, "speedup_low": 1.9, "speedup_high": 2.1}},
        "rows": [
            row("trained_fp32", "openvino", 0.70, 8.0, 4000, 1000),
            row("quantized_int8", "openvino", 0.69, 2.0, 500, 400),
            not_run("quantized_int8", "tensorrt"),
        ],
    }


def test_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(json.loads(SCHEMA.read_text("utf-8")))


def test_report_is_written_and_read(report: dict[str, Any], tmp_path: Path) -> None:
    write_report(tmp_path, report)
    assert read_report(tmp_path) == report


def test_headlines_in_the_metrics_file(report: dict[str, Any], tmp_path: Path) -> None:
    write_report(tmp_path, report)
    metrics = json.loads((tmp_path / "metrics.json").read_text("utf-8"))
    assert metrics["points_lost/test"] == pytest.approx(1.0)
    assert metrics["speedup"] == 4.0
    assert metrics["size_ratio"] == 8.0
    assert metrics["macs_ratio"] == 2.5
    assert metrics["deployed/latency_ms/p50"] == 2.0
    assert metrics["baseline/test/map50_95"] == 0.70
    assert metrics["pruning/openvino/speedup_low"] == 1.9
    assert metrics["parity/passed"] == 1
    assert all(isinstance(value, int | float) for value in metrics.values())


def test_one_failed_parity_shows(report: dict[str, Any]) -> None:
    report["rows"][0]["parity"]["status"] = "failed"
    assert flat_metrics(report)["parity/passed"] == 0


def test_row_that_broke_down_is_no_parity(report: dict[str, Any]) -> None:
    report["rows"][2]["status"] = "failed"
    assert flat_metrics(report)["parity/passed"] == 0


def test_deployed_row_that_did_not_run_gives_no_ratio(report: dict[str, Any]) -> None:
    report["deployed"], report["comparison"] = "quantized_int8@tensorrt", {}
    check_report(report)
    metrics = flat_metrics(report)
    assert not [name for name in metrics if name.startswith(("deployed", "speedup", "points_lost"))]


BREAKAGES = {
    "accuracy in percent": lambda r: r["rows"][0]["test"].update(map50_95=70.0),
    "no latency": lambda r: r["rows"][0].pop("latency_ms"),
    "missing percentile": lambda r: r["rows"][0]["latency_ms"].pop("p99"),
    "not run without a reason": lambda r: r["rows"][2].pop("reason"),
    "not run with a number": lambda r: r["rows"][2].update(throughput_ips=5.0),
    "unknown key": lambda r: r["rows"][0].update(speed=3),
    "unknown status": lambda r: r["rows"][0].update(status="skipped"),
    "negative latency": lambda r: r["rows"][0]["latency_ms"].update(p50=-1),
    "deployed names no row": lambda r: r.update(deployed="quantized_int4@openvino"),
    "two rows alike": lambda r: r["rows"].append(copy.deepcopy(r["rows"][0])),
    "no rows": lambda r: r.update(rows=[]),
}


@pytest.mark.parametrize("breakage", BREAKAGES.values(), ids=BREAKAGES)
def test_broken_report_is_refused_and_nothing_written(report: dict[str, Any], breakage: Any, tmp_path: Path) -> None:
    breakage(report)
    with pytest.raises(ValueError, match=r"^\$"):
        write_report(tmp_path, report)
    assert not list(tmp_path.iterdir())


def test_damaged_report_is_the_users_error(report: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run the benchmark stage first"):
        read_report(tmp_path)
    write_report(tmp_path, report)
    (tmp_path / "benchmark.json").write_text('{"version": 2}')
    with pytest.raises(UserError, match="is damaged"):
        read_report(tmp_path)
