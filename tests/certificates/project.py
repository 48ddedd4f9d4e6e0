"""A project with a whole result in it, made in a second: real dataset, git and signatures, exports of a few bytes."""

import io
import subprocess
from contextlib import redirect_stderr
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from netwright.artifacts.bundle import Bundle, ExportEntry, write_bundle
from netwright.artifacts.report import write_report
from netwright.artifacts.whole_file import sha256_of, write_json, write_text
from netwright.certificates.evidence import SPLITS
from netwright.deployment.latency import Samples, median_ratio, percentiles, write_latencies
from netwright.evaluation.coco_numbers import class_numbers, coco_numbers
from netwright.evaluation.detections import Detections, write_detections
from netwright.evaluation.evaluation import evaluate
from netwright.evaluation.truth import Truth, read_truth
from netwright.types import Architecture, InputSpec
from pipelines.compose import composed
from stages._certificate.dvc_lock import dvc_hash
from stages._entry.app import validated
from stages.convert import run as convert

ROOT = Path(__file__).resolve().parents[2]
OVERRIDES = ("experiment=smoke", "dataset.scenes={train: 4, val: 6, test: 7}", "certificate.resamples=100")
MACHINE = {"cpu": {"model": "a processor", "cores": 2}, "runtimes": {"openvino": "1"}}
ROWS = {"trained_fp32": ("trained", "fp32"), "pruned_fp32": ("pruned", "fp32"), "quantized_int8": ("quantized", "int8")}
OUTS = {
    "convert": ["data/converted"],
    "pretrain-init": ["models/init/init.json"],
    "train": ["models/trained/architecture.json"],
    "prune": ["models/pruned/architecture.json"],
    "qat": ["models/quantized/architecture.json"],
    "export": ["exports"],
}
PARAMS = {
    "convert": ["dataset"],
    "pretrain-init": ["model", "pretrain_init"],
    "train": ["train", "nms"],
    "prune": ["prune", "train", "nms"],
    "qat": ["qat", "train", "nms"],
    "export": ["export"],
    "benchmark": ["benchmark", "certificate", "nms"],
}


def build_project(root: Path) -> Path:
    """Everything that the benchmark stage finds, and what it makes but for the certificate, committed."""
    params = composed(OVERRIDES)
    write_text(root / "params.yaml", yaml.safe_dump(params, sort_keys=False))
    for name in ("dvc.yaml", "netwright/code.py", "stages/code.py", "conf/config.yaml"):
        write_text(root / name, f"# {name}\n")
    write_text(root / ".gitignore", "/data/\n/models/\n/exports/\n/reports/\n/release/\nmachine.json\n")
    write_json(root / "machine.json", MACHINE)
    dataset = replace(validated(params).dataset, source=str(ROOT / "netwright/data/embedded"))
    with redirect_stderr(io.StringIO()):
        convert(dataset=dataset, output=root / "data/converted", scratch=root / "scratch", workers=1)
    write_models(root)
    write_exports(root)
    write_results(root)
    write_lock(root, params)
    git(root, "init", "-q")
    commit(root)
    return root


def write_models(root: Path) -> None:
    for model, channels in (("trained", 32), ("pruned", 16), ("quantized", 16)):
        architecture = Architecture(
            builder="detector",
            backbone="a_backbone",
            levels=(8, 16),
            neck_channels=channels,
            classes=tuple("0123456789"),
            input=InputSpec(height=160, width=160),
        )
        write_json(root / "models" / model / "architecture.json", asdict(architecture))
    told = {"weights": "random", "source": "drawn from pretrain_init.seed", "licence": "none", "sha256": None}
    write_json(root / "models/init/init.json", told)


def write_exports(root: Path) -> None:
    entries = []
    for number, (name, (model, precision)) in enumerate(ROWS.items()):
        path = root / "exports" / f"{name}.onnx"
        write_text(path, f"a network called {name} " * 40)
        entries.append(
            ExportEntry(
                name=name,
                file=path.name,
                sha256=sha256_of(path),
                size_bytes=path.stat().st_size,
                model=model,
                precision=precision,
                encoding="none" if precision == "fp32" else "signed",
                opset=18,
                inputs={"pixels": ("batch", 3, 160, 160)},
                outputs={"boxes": ("batch", 9, 4)},
                params=3000 - 1000 * number,
                macs=30000 - 10000 * number,
            )
        )
    spec = InputSpec(height=160, width=160)
    write_bundle(root / "exports", Bundle(input=spec, classes=tuple("0123456789"), exports=tuple(entries), tools={}))


def guesses(truth: Truth, seed: int) -> list[Detections]:
    """Most boxes found, moved a little, among false alarms."""
    random = np.random.default_rng(seed)
    found = []
    for boxes, labels in zip(truth.boxes, truth.labels, strict=True):
        moved = boxes + random.normal(0, 1.5 + seed, boxes.shape).astype(np.float32)
        false = np.sort(random.uniform(0, 150, (2, 2, 2)), axis=1).reshape(2, 4).astype(np.float32)
        scores = np.concatenate([random.uniform(0.3, 1, len(boxes)), random.uniform(0, 0.7, 2)]).astype(np.float32)
        classes = np.concatenate([labels, random.integers(0, 10, 2)])
        order = np.argsort(-scores)
        found.append(Detections(np.vstack([moved, false])[order], scores[order], classes[order]))
    return found


def write_results(root: Path) -> None:
    """Report and raw results of every export on openvino."""
    truths = {split: read_truth(root / "data/converted", split) for split in SPLITS}
    found = {(name, split): guesses(truths[split], seed) for seed, name in enumerate(ROWS) for split in SPLITS}
    rounds = np.arange(12)
    samples = {
        name: Samples(rounds, 5.0 / (1 + seed) + np.random.default_rng(seed).uniform(0, 0.3, 12))
        for seed, name in enumerate(ROWS)
    }
    raw = root / "reports/raw"
    write_detections(
        raw / "detections.parquet",
        (
            (name, "openvino", split, picture, one)
            for (name, split), pictures in found.items()
            for picture, one in zip(truths[split].names, pictures, strict=True)
        ),
    )
    write_latencies(raw / "latencies.parquet", {(name, "openvino"): taken for name, taken in samples.items()})
    accuracies = {key: accuracy(truths[key[1]], pictures) for key, pictures in found.items()}
    rows = [report_row(root, name, accuracies, samples[name]) for name in ROWS]
    ratio = median_ratio(samples["trained_fp32"], samples["quantized_int8"])
    report = {
        "version": 1,
        "dataset": {"name": "smoke", "classes": 10, **{split: len(truth) for split, truth in truths.items()}},
        "machine": MACHINE,
        "tools": {"onnx": "1"},
        "epochs": {"trained": 1, "pruned": 2, "quantized": 3},
        "deployed": "quantized_int8@openvino",
        "baseline": "trained_fp32@openvino",
        "comparison": {"speedup": ratio.median, "speedup_low": ratio.low, "speedup_high": ratio.high},
        "pruning": {},
        "rows": rows,
    }
    write_report(root / "reports", report)
    write_text(root / "reports/index.html", "<p>the benchmark's page</p>")


def accuracy(truth: Truth, found: list[Detections]) -> dict[str, Any]:
    evaluation = evaluate(truth, found)
    overall, classes = coco_numbers(evaluation), class_numbers(evaluation)
    return {
        "map50_95": overall.ap,
        "map50": overall.ap50,
        "per_class": {name: one.ap for name, one in classes.items() if one.ap is not None},
        "per_class50": {name: one.ap50 for name, one in classes.items() if one.ap50 is not None},
    }


def report_row(root: Path, name: str, accuracies: dict[Any, Any], samples: Samples) -> dict[str, Any]:
    model, precision = ROWS[name]
    latency = percentiles(samples.milliseconds)
    reference = f"torch network of models/{model}"
    number = list(ROWS).index(name)
    return {
        "export": name,
        "file": f"{name}.onnx",
        "model": model,
        "precision": precision,
        "encoding": "none" if precision == "fp32" else "signed",
        "runtime": "openvino",
        "runtime_version": "2026",
        "precision_used": precision,
        "device": "cpu",
        "threads": 2,
        "batch": 1,
        "input_size": [160, 160],
        "status": "ok",
        "size_bytes": (root / "exports" / f"{name}.onnx").stat().st_size,
        "params": 3000 - 1000 * number,
        "macs": 30000 - 10000 * number,
        "val": accuracies[name, "val"],
        "test": accuracies[name, "test"],
        "latency_ms": latency,
        "latency_calls": 12,
        "throughput_ips": 1000 / latency["p50"],
        "disturbed": False,
        "parity": {"status": "passed", "reference": reference, "reason": "within tolerance", "images": 2},
    }


def write_lock(root: Path, params: dict[str, Any]) -> None:
    stages: dict[str, Any] = {}
    for name, sections in PARAMS.items():
        outs = [{"path": path, "hash": "md5", "md5": dvc_hash(root / path)} for path in OUTS.get(name, [])]
        deps = [{"path": "netwright/code.py", "hash": "md5", "md5": dvc_hash(root / "netwright/code.py")}]
        values = {"params.yaml": {section: params[section] for section in sections}}
        stages[name] = {"cmd": "true", "deps": deps, "params": values, "outs": outs}
    write_text(root / "dvc.lock", yaml.safe_dump({"schema": "2.0", "stages": stages}, sort_keys=False))


def git(root: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout


def commit(root: Path) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-qm", "result")
