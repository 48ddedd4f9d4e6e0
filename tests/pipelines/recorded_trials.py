"""A store with sweeps in it, as pipelines.sweep and pipelines.record leave them, made without running anything."""

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from netwright.artifacts.dataset import Record, write_dataset
from netwright.evaluation.detections import Detections, write_detections
from netwright.evaluation.truth import Truth
from pipelines.tracking.evidence import DEPLOYED, RAW, TRUTH
from pipelines.tracking.result import flat
from tests.evaluation.scenes import CLASSES, random_scene

if TYPE_CHECKING:
    from mlflow import MlflowClient

ROOT = Path(__file__).resolve().parents[2]
SNAPSHOT: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
BASELINE = 0.70


@dataclass(frozen=True, kw_only=True)
class Point:
    """One trial: its ``overrides`` and what came of it; ``accuracy`` on val, ``latency`` in ms, ``size`` in bytes."""

    overrides: Mapping[str, str]
    accuracy: float = 0.6
    latency: float = 2.0
    size: float = 5e5
    status: str = "FINISHED"
    error: str = ""
    tags: Mapping[str, str] | None = None

    @property
    def name(self) -> str:
        return ",".join(f"{key}={value}" for key, value in sorted(self.overrides.items()))


def threshold_sweep() -> list[Point]:
    """Five thresholds: less accurate, faster and smaller the more is pruned; 0.4 is no better than 0.5 anywhere."""
    told = {"0.1": (0.66, 3.4, 1.3e6), "0.2": (0.655, 2.9, 1.0e6), "0.3": (0.64, 2.2, 7e5), "0.4": (0.56, 1.9, 5e5)}
    told["0.5"] = (0.57, 1.6, 3.8e5)
    return [
        Point(overrides={"prune.threshold": value}, accuracy=accuracy, latency=latency, size=size)
        for value, (accuracy, latency, size) in told.items()
    ]


def wide_sweep(count: int, seed: int = 0) -> list[Point]:
    """``count`` trials over three parameters: the threshold decides most, the epochs little, the criterion nothing."""
    random = np.random.default_rng(seed)
    points = []
    for _ in range(count):
        threshold, epochs = round(random.uniform(0.05, 0.7), 3), int(random.choice([0, 1, 5, 10]))
        overrides = {
            "prune.threshold": str(threshold),
            "qat.epochs": str(epochs),
            "prune.criterion": str(random.choice(["l2", "folded_l2"])),
        }
        accuracy = 0.68 - 0.35 * threshold**2 + 0.002 * epochs + random.normal(0, 0.006)
        latency = 3.6 * (1 - threshold) ** 0.8 * random.normal(1, 0.03)
        size = 1.5e6 * (1 - threshold) ** 2 + 5e4
        points.append(Point(overrides=overrides, accuracy=accuracy, latency=latency, size=size))
    return points


def params_of(point: Point, dataset: str = "digits") -> dict[str, str]:
    return flat(SNAPSHOT, ".") | {"dataset.name": dataset} | dict(point.overrides)


def metrics_of(point: Point) -> dict[str, float]:
    deployed = {
        "val/map50_95": point.accuracy,
        "val/map50": min(point.accuracy + 0.2, 1),
        "test/map50_95": point.accuracy - 0.01,
        "test/map50": min(point.accuracy + 0.19, 1),
        "latency_ms/p50": point.latency,
        "latency_ms/p90": point.latency * 1.2,
        "latency_ms/p95": point.latency * 1.3,
        "latency_ms/p99": point.latency * 1.6,
        "throughput_ips": 1000 / point.latency,
        "size_bytes": point.size,
        "params": point.size,
        "macs": point.size * 800,
    }
    baseline = {"val/map50_95": BASELINE, "test/map50_95": BASELINE - 0.01, "latency_ms/p50": 6.0, "size_bytes": 6.2e6}
    return (
        {f"deployed/{name}": value for name, value in deployed.items()}
        | {f"baseline/{name}": value for name, value in baseline.items()}
        | {"parity/passed": 1.0, "points_lost/val": 100 * (BASELINE - point.accuracy), "data/train/images": 500.0}
    )


def tags_of(point: Point, sweep: str, parent: str, dataset: str = "digits") -> dict[str, str]:
    tags = {
        "netwright.kind": "pipeline",
        "netwright.key": f"key of {point.name} in {sweep}",
        "netwright.sweep": sweep,
        "netwright.trial": point.name,
        "mlflow.parentRunId": parent,
        "dataset": dataset,
        "dataset.fingerprint": f"{dataset} content",
        "mlflow.source.git.commit": "c" * 40,
        "git.dirty": "false",
        "restored": "false",
        "stages_ran": "prune, qat, export, benchmark",
        "deployed.row": "quantized_int8@openvino",
        "deployed.runtime": "openvino 2026.4.1",
        "deployed.device": "a CPU of 2 cores",
        "deployed.precision_used": "int8",
        "deployed.threads": "2",
        "deployed.batch": "1",
        "deployed.disturbed": "false",
        "deployed.parity": "passed",
    }
    return tags | ({"netwright.error": point.error} if point.error else {}) | dict(point.tags or {})


def make_sweep(
    client: "MlflowClient", project: Path, name: str, points: Sequence[Point], *, dataset: str = "digits", files: bool
) -> list[str]:
    """A parent run with ``points`` as children; their run ids. With ``files`` each keeps its reports too."""
    experiment = client.get_experiment_by_name(dataset)
    number = (
        experiment.experiment_id
        if experiment
        else client.create_experiment(dataset, artifact_location=(project / "mlruns").as_uri())
    )
    told = {"netwright.kind": "sweep", "netwright.sweep": name, "dataset": dataset}
    parent = client.create_run(number, tags=told, run_name=name).info.run_id
    runs = [_make_trial(client, number, name, parent, point, dataset, files) for point in points]
    client.set_terminated(parent)
    return runs


def _make_trial(
    client: "MlflowClient", experiment: str, sweep: str, parent: str, point: Point, dataset: str, files: bool
) -> str:
    from mlflow.entities import Metric, Param

    tags = tags_of(point, sweep, parent, dataset)
    run: str = client.create_run(experiment, tags=tags, run_name=point.name or "as it is").info.run_id
    metrics = [Metric(key, value, 1, 0) for key, value in metrics_of(point).items()]
    params = [Param(key, value) for key, value in params_of(point, dataset).items()]
    client.log_batch(run, metrics=metrics if point.status == "FINISHED" else [], params=params[:100])
    client.log_batch(run, params=params[100:])
    if files and point.status == "FINISHED":
        with tempfile.TemporaryDirectory() as folder:
            write_files(Path(folder), point)
            client.log_artifacts(run, folder)
    client.set_terminated(run, status=point.status)
    return run


def write_files(folder: Path, point: Point) -> None:
    """The artifacts of a run: snapshot, dvc.lock, report, raw results. Accuracy falls with the point's accuracy."""
    truth, found = scene(point.accuracy)
    lock = yaml.safe_load((ROOT / "dvc.lock").read_text("utf-8"))
    lock["stages"]["prune"]["params"]["params.yaml"]["prune"]["threshold"] = point.overrides.get("prune.threshold")
    for stage in ("prune", "qat", "export", "benchmark"):
        for out in lock["stages"][stage]["outs"]:
            out["md5"] = f"{point.name} {out['path']}"
    (folder / "dvc.lock").write_text(yaml.safe_dump(lock))
    shutil.copy(ROOT / "params.yaml", folder / "params.yaml")
    raw = folder / RAW
    raw.mkdir(parents=True)
    row = ("quantized_int8", "openvino", "val")
    write_detections(raw / DEPLOYED, [(*row, name, one) for name, one in zip(truth.names, found, strict=True)])
    write_dataset(raw / TRUTH, "digits", CLASSES, records_of(truth), fingerprint="digits content")
    per_class = dict.fromkeys(CLASSES, point.accuracy)
    deployed = {"export": row[0], "runtime": row[1], "val": {"map50_95": point.accuracy, "per_class": per_class}}
    report = {"deployed": "@".join(row[:2]), "rows": [deployed]}
    (folder / "reports/benchmark.json").write_text(json.dumps(report))


def scene(accuracy: float) -> tuple[Truth, list[Detections]]:
    """The same truth always; detections the worse the lower ``accuracy`` is."""
    truth, found = random_scene(7, pictures=40)
    order = sorted(range(len(truth)), key=lambda index: truth.names[index])  # as a converted dataset has them
    truth, found = truth.take(order), [found[index] for index in order]
    random, spread = np.random.default_rng(1), 12 * abs(0.75 - accuracy)
    shaken = [
        Detections(
            (one.boxes + random.normal(0, spread, one.boxes.shape) * (-1, -1, 1, 1)).astype(np.float32),
            one.scores,
            one.labels,
        )
        for one in found
    ]
    return truth, shaken


def records_of(truth: Truth) -> list[Record]:
    return [
        Record(name=name, split="val", image=b"", width=size[0], height=size[1], boxes=boxes, labels=labels)
        for name, size, boxes, labels in zip(truth.names, truth.sizes, truth.boxes, truth.labels, strict=True)
    ]
