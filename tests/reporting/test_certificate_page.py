"""The certificate for people: self-contained, escaped, with everything that decides whether it can be trusted."""

import re
from pathlib import Path
from typing import Any

import pytest

from netwright.reporting.certificate_numbers import label, metric, points, shown
from netwright.reporting.certificate_page import write_certificate_page
from netwright.reporting.certificate_text import summary_text, write_certificate_text

EVIL = "<script>alert(1)</script> | *bold*"


def speed(p50: float, used: str) -> dict[str, Any]:
    return {
        "runtime": "openvino",
        "runtime_version": "2026.1",
        "device": "cpu",
        "precision_used": used,
        "threads": 2,
        "batch": 1,
        "latency_ms": {"p50": p50, "p90": p50 + 1, "p95": p50 + 1, "p99": p50 + 2},
        "latency_calls": 50,
        "throughput_ips": 1000 / p50,
    }


def step(row: str, model: str, value: float, **more: Any) -> dict[str, Any]:
    accuracy = {"map50_95": {"value": value, "low": value - 0.02, "high": value + 0.02}}
    used = "int8" if "int8" in row else "bf16"
    counts = {"size_bytes": 500_000, "params": 120_000, "macs": 30_000_000, "epochs": 20}
    return (
        counts
        | more
        | {"row": row, "model": model, "precision": used, "val": accuracy, "test": accuracy, "speed": speed(2.0, used)}
    )


def certificate() -> dict[str, Any]:
    interval = {"value": 2.5, "low": 2.25, "high": 2.75}
    lost = {"value": -1.25, "low": -2.0, "high": -0.5}
    known = {"value": 0.7589, "low": 0.741, "high": 0.775}
    split = {
        "images": 72,
        "boxes": 900,
        "overall": {"map50_95": known, "map_small": {"value": None}},
        "per_class": {EVIL: {"boxes": 12, "metrics": {"map50_95": known}}},
    }
    parity = {"status": "passed", "reason": "within tolerance", "reference": "torch network of models/quantized"}
    return {
        "version": 1,
        "deployed": "quantized_int8@openvino",
        "baseline": "trained_fp32@openvino",
        "architecture": {"backbone": "resnet10t", "classes": [EVIL], "input": {"height": 320, "mean": [0.5, 0.5, 0.5]}},
        "weights": {"name": "catalog", "source": "PyPI", "licence": "Apache-2.0", "sha256": "a" * 64},
        "training": {
            "epochs": {"trained": 5, "quantized": 20},
            "batch_size": 8,
            "precision": "fp32",
            "seeds": {"train.seed": 1},
            "configuration": {"train": {"learning_rate": 1e-05, "augment": {"flip": 0.5}}},
        },
        "dataset": {
            "name": "cells",
            "format": "voc",
            "licence": "MIT",
            "fingerprint": "b" * 64,
            "split_origin": "its own files",
            "group_origin": "",
            "leakage": {"action": "warn", "exact": 0, "near": 3},
            "boxes_dropped": 4,
            "boxes_clipped": 5,
            "splits": {name: {"images": 72, "boxes": 900} for name in ("train", "val", "test")},
        },
        "method": {"metrics": ["map50_95", "map_small"], "resamples": 1000, "seed": 0, "confidence": 0.95},
        "accuracy": {"val": split, "test": split},
        "speed": speed(2.0, "int8"),
        "lineage": [
            step("trained_fp32@openvino", "trained", 0.7714),
            step("quantized_int8@openvino", "quantized", 0.7589, speedup=interval, points={"val": lost, "test": lost}),
        ],
        "parity": [
            {"row": "quantized_int8@openvino", **parity, "points_val": 0.02},
            {"row": "quantized_int8@tensorrt", **parity, "status": "failed", "points_val": -3.0},
        ],
        "files": {"exports/quantized_int8.onnx": "c" * 64},
        "code": {"sha256": "d" * 64, "paths": ["netwright", "stages"]},
        "stages": {"export": {"deps": {"models": "e" * 32}, "outs": {"exports": "f" * 32}}},
        "machine": {"cpu": {"model": "AMD EPYC", "flags": ["avx2"]}, "gpus": []},
        "tools": {"torch": "2.15.0"},
        "limitations": ["Not a medical device.", EVIL],
    }


@pytest.fixture
def page(tmp_path: Path) -> str:
    write_certificate_page(tmp_path / "certificate.html", certificate(), name="cells-1.0")
    return (tmp_path / "certificate.html").read_text("utf-8")


@pytest.fixture
def text(tmp_path: Path) -> str:
    write_certificate_text(tmp_path / "certificate.md", certificate(), name="cells-1.0")
    return (tmp_path / "certificate.md").read_text("utf-8")


def test_page_loads_nothing_from_elsewhere(page: str) -> None:
    assert re.findall(r'(?:src|href)="(?!#)[^"]*"|@import|url\((?!data:)', page) == []


def test_what_others_wrote_is_no_markup(page: str, text: str) -> None:
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert(1)") == 3  # the class in two places, and a limitation
    assert "<script>" not in text.replace("\\<script\\>", "")
    rows = [line for line in text.splitlines() if line.startswith("| \\<script")]
    assert len(rows) == 1
    assert len(re.findall(r"(?<!\\)\|", rows[0])) == 4  # three columns, though the name holds a bar


@pytest.mark.parametrize(
    "told",
    [
        "0.759 (0.741 to 0.775)",
        "2.50 (2.25 to 2.75)",
        "Not a medical device.",
        "Apache-2.0",
        "MIT",
        "b" * 64,
        "c" * 64,
        "0 the same, 3 nearly the same",
        "train.seed 1",
        "train.learning",
        "AMD EPYC",
        "e" * 32,
        "p50 2.00, p90 3.00, p95 3.00, p99 4.00; 50 calls of batch 1",
    ],
)
def test_page_and_text_tell_the_same(page: str, text: str, told: str) -> None:
    assert told in page
    assert told in text.replace("\\", "")


def test_a_failed_comparison_elsewhere_is_not_hidden(page: str) -> None:
    assert "NOT of quantized_int8@tensorrt" in page


def test_limitations_come_before_the_figures(text: str) -> None:
    assert text.index("## Limitations") < text.index("## Accuracy")


def test_the_summary_is_short_and_holds_the_limitations() -> None:
    summary = summary_text(certificate())
    assert len(summary.splitlines()) < 20
    assert "**mAP50-95 on test: 0.759**" in summary
    assert "Not a medical device." in summary


def test_a_deployed_baseline_has_no_speedup(tmp_path: Path) -> None:
    alone = certificate()
    alone["deployed"] = alone["baseline"]
    alone["lineage"] = alone["lineage"][:1]
    alone["parity"][0]["row"] = alone["baseline"]
    write_certificate_page(tmp_path / "page.html", alone, name="x")
    assert "Speedup" not in (tmp_path / "page.html").read_text("utf-8")


def test_numbers_as_text() -> None:
    assert metric({"value": None}) == metric(None) == "–"
    assert metric({"value": 0.5}) == "0.500"
    assert points({"value": -1.25, "low": -2.0, "high": 0.5}) == "−1.25 (−2.0 to +0.5)"
    told = {"map50_95": "mAP50-95", "map_small": "mAP small", "ar100": "AR100", "voc2007": "VOC 2007"}
    told |= {"tao_sample": "TAO sample", "calibration_error": "calibration error"}
    assert {name: label(name) for name in told} == told
    assert shown([1e-05, True, "x"]) == "1e-05, yes, x"
