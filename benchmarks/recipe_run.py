"""One training of a named recipe with one seed: accuracy, cost, speed, and all detections on val and test."""

import hashlib
import json
import shutil
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from netwright.artifacts.dataset import read_manifest
from netwright.artifacts.model import ARCHITECTURE, WEIGHTS, save_model_files
from netwright.artifacts.whole_file import sha256_of
from netwright.data.feeding.pictures import PictureSet, load_pictures
from netwright.errors import UserError
from netwright.evaluation.coco import Accuracy, coco_accuracy
from netwright.evaluation.detect import detect, predict_with, score_network
from netwright.evaluation.detections import write_detections
from netwright.models.build import build_network
from netwright.models.catalog import RANDOM, find_weights
from netwright.models.cost import cost_of
from netwright.models.detector import Detector
from netwright.models.initialise import initialise
from netwright.training.auto_batch import fit_in_memory
from netwright.training.recipe import EpochMetrics
from netwright.training.team import Team
from netwright.types import SPLITS, InputSpec
from stages._training.epochs import recipe_of
from stages.pretrain_init import describe
from stages.settings import Settings

SECTIONS = ("dataset", "model", "pretrain_init", "train", "nms")  # what decides an outcome
WARM_EPOCHS = 5  # kernels are chosen, memory is taken and graphs are captured in these
BACKBONE = "backbone."


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where to train: the dataset, scratch for decoded pictures, results, device.

    ``backbone`` is a safetensors file that stands for every catalog entry (None: the catalog itself);
    ``keep_models`` writes the weights too.
    """

    data: Path
    scratch: Path
    out: Path
    device: str
    backbone: Path | None = None
    keep_models: bool = False


@dataclass(frozen=True, kw_only=True)
class Run:
    """``recipe`` with ``seed``, which has gone into ``settings``. ``inputs`` is a hash of what it reads."""

    recipe: str
    seed: int
    settings: Settings
    inputs: str = ""

    @property
    def name(self) -> str:
        """What files and messages call it."""
        return f"{self.recipe}-{self.seed}"

    @property
    def key(self) -> str:
        """Equal keys mean equal values and equal inputs."""
        values = [asdict(getattr(self.settings, section)) for section in SECTIONS]
        return hashlib.sha256(json.dumps([self.inputs, *values], sort_keys=True).encode()).hexdigest()[:12]


def seeded(recipe: str, seed: int, settings: Settings, inputs: str = "") -> Run:
    """The run whose first weights, batches and augmentation come from ``seed``."""
    train, init = replace(settings.train, seed=seed), replace(settings.pretrain_init, seed=seed)
    own = replace(settings, train=train, pretrain_init=init)
    return Run(recipe=recipe, seed=seed, settings=own, inputs=inputs)


def inputs_of(place: Place) -> str:
    """A hash of the converted dataset's manifest, whose fingerprint is of its content, and of the backbone's file."""
    backbone = sha256_of(place.backbone) if place.backbone else ""
    return hashlib.sha256(f"{json.dumps(asdict(read_manifest(place.data)))}{backbone}".encode()).hexdigest()


def backbone_alone(model: Path, target: Path) -> Path:
    """Write the backbone of the model folder ``model`` to ``target``, so that heads still differ between seeds."""
    target.mkdir(parents=True, exist_ok=True)
    tensors = {name: value for name, value in load_file(model / WEIGHTS).items() if name.startswith(BACKBONE)}
    save_file(tensors, target / WEIGHTS)
    shutil.copy(model / ARCHITECTURE, target / ARCHITECTURE)
    return target / WEIGHTS


def prepare(runs: Sequence[Run], place: Place) -> None:
    """Find out what cannot work and decode every picture, before any device is used."""
    if place.device == "cuda" and not torch.cuda.is_available():
        raise UserError("--device is cuda, and torch sees no CUDA device here")
    done = set()
    for run in runs:
        torch.set_num_threads(run.settings.train.threads)
        shape = (run.settings.model, run.settings.pretrain_init.weights)
        if repr(shape) in done:
            continue
        done.add(repr(shape))
        spec = start_network(run, place).architecture.input
        sizes = "/".join(str(len(pictures)) for pictures in pictures_for(spec, place).values())
        print(f"{run.recipe}: {spec.width}x{spec.height}, {sizes} pictures", flush=True)


def start_network(run: Run, place: Place) -> Detector:
    """The network that ``run`` trains, on the CPU."""
    model, weights = run.settings.model, run.settings.pretrain_init.weights
    if place.backbone and weights != RANDOM and not weights.endswith(".safetensors"):
        weights = str(place.backbone)
    source = find_weights(weights, model.backbone)
    network = build_network(describe(model, read_manifest(place.data).classes, source.mean, source.std))
    initialise(network, weights, run.settings.pretrain_init.seed)
    return network


def pictures_for(spec: InputSpec, place: Place) -> dict[str, PictureSet]:
    """Every split, for a network with this input."""
    return {split: load_pictures(place.data, split, spec, scratch=place.scratch) for split in SPLITS}


def train_once(run: Run, place: Place) -> dict[str, Any]:
    """Train, keep the detections in ``place.out`` and return the line of results."""
    begun, train, nms = time.perf_counter(), run.settings.train, run.settings.nms
    network = start_network(run, place)
    pictures = pictures_for(network.architecture.input, place)
    lines: list[EpochMetrics] = []

    def score(candidate: torch.nn.Module) -> Accuracy:
        return score_network(candidate, pictures["val"], nms, batch_size=train.batch_size, device=place.device)

    def report(metrics: EpochMetrics) -> None:
        lines.append(metrics)
        print(
            f"epoch {metrics.epoch}  loss {metrics.loss:.4f}  {metrics.map50_95}  {metrics.seconds:.2f} s", flush=True
        )

    trained = time.perf_counter()
    result = fit_in_memory(
        network,
        pictures["train"],
        recipe=recipe_of(train),
        checkpoints=None,
        team=Team(),
        device=place.device,
        score=score,
        on_epoch=report,
    )
    seconds = time.perf_counter() - trained
    accuracies = _detected(run, network, pictures, place)
    if place.keep_models:
        save_model_files(place.out / "models" / run.name, network.architecture, network.state_dict())
    cost = cost_of(network)
    warm = [line.seconds for line in lines[WARM_EPOCHS:] or lines[-1:]]
    return {
        "recipe": run.recipe,
        "seed": run.seed,
        "key": run.key,
        "val": _plain(accuracies["val"]),
        "test": _plain(accuracies["test"]),
        "epochs": len(lines),
        "best_epoch": result.best_epoch,
        "parameters": cost.parameters,
        "macs": cost.macs,
        "images_per_second": len(pictures["train"]) / statistics.median(warm),
        "seconds": seconds,
        "seconds_in_all": time.perf_counter() - begun,
        "curve": curve_of(lines),
        "precision": getattr(result, "precision", train.precision),
        "device": torch.cuda.get_device_name() if place.device == "cuda" else "cpu",
        "torch": torch.__version__,
    }


def curve_of(lines: Sequence[EpochMetrics]) -> list[tuple[float, float]]:
    """(seconds of training so far, val mAP50-95) of each epoch that was scored; scoring itself takes no time here."""
    points, elapsed = [], 0.0
    for line in lines:
        elapsed += line.seconds
        if line.map50_95 is not None:
            points.append((round(elapsed, 3), line.map50_95))
    return points


def _detected(run: Run, network: Detector, pictures: dict[str, PictureSet], place: Place) -> dict[str, Accuracy]:
    predict, rows, accuracies = predict_with(network, place.device), [], {}
    for split in ("val", "test"):
        found = detect(predict, pictures[split], run.settings.nms, batch_size=run.settings.train.batch_size)
        accuracies[split] = coco_accuracy(pictures[split], found)
        rows += [(run.name, "torch", split, name, one) for name, one in zip(pictures[split].names, found, strict=True)]
    write_detections(detections_file(place.out, run.name), rows)
    return accuracies


def detections_file(out: Path, name: str) -> Path:
    """Where the detections of the run called ``name`` are."""
    return out / "detections" / f"{name}.parquet"


def _plain(accuracy: Accuracy) -> dict[str, float]:
    return {"map50_95": accuracy.map50_95, "map50": accuracy.map50}
