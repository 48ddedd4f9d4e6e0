"""One training of a named recipe with one seed: accuracy, cost, speed, and all detections on val and test."""

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.recipe_run import WARM_EPOCHS, Place, Run, pictures_for, start_network
from netwright.artifacts.model import save_model_files
from netwright.data.feeding.pictures import PictureSet
from netwright.evaluation.coco import Accuracy, coco_accuracy
from netwright.evaluation.detect import detect, predict_with, score_network
from netwright.evaluation.detections import write_detections
from netwright.models.cost import cost_of
from netwright.models.detector import Detector
from netwright.training.auto_batch import fit_in_memory
from netwright.training.recipe import EpochMetrics, FitResult
from netwright.training.team import Team
from stages._training.epochs import recipe_of

Pictures = dict[str, PictureSet]


def train_once(run: Run, place: Place) -> dict[str, Any]:
    """Train, keep the detections in ``place.out`` and return the line of results."""
    begun = time.perf_counter()
    network = start_network(run, place)
    pictures = pictures_for(network.architecture.input, place)
    trained = time.perf_counter()
    result = _fitted(run, network, pictures, place.device)
    seconds = time.perf_counter() - trained
    accuracies = _detected(run, network, pictures, place)
    if place.keep_models:
        save_model_files(model_folder(place.out, run.name), network.architecture, network.state_dict())
    return {
        "recipe": run.recipe,
        "seed": run.seed,
        "key": run.key,
        **{split: {"map50_95": found.map50_95, "map50": found.map50} for split, found in accuracies.items()},
        **_cost(network, result, len(pictures["train"])),
        "seconds": seconds,
        "seconds_in_all": time.perf_counter() - begun,
        "curve": curve_of(result.history),
        "precision": result.precision,
        "device": torch.cuda.get_device_name() if place.device == "cuda" else "cpu",
        "torch": torch.__version__,
    }


def _fitted(run: Run, network: Detector, pictures: Pictures, device: str) -> FitResult:
    train, nms = run.settings.train, run.settings.nms

    def score(candidate: torch.nn.Module) -> Accuracy:
        return score_network(candidate, pictures["val"], nms, batch_size=train.batch_size, device=device)

    return fit_in_memory(
        network,
        pictures["train"],
        recipe=recipe_of(train),
        checkpoints=None,
        team=Team(),
        device=device,
        score=score,
        on_epoch=_say,
    )


def _say(metrics: EpochMetrics) -> None:
    print(f"epoch {metrics.epoch}  loss {metrics.loss:.4f}  {metrics.map50_95}  {metrics.seconds:.2f} s", flush=True)


def _cost(network: Detector, result: FitResult, pictures: int) -> dict[str, Any]:
    cost = cost_of(network)
    warm = [line.seconds for line in result.history[WARM_EPOCHS:] or result.history[-1:]]
    return {
        "epochs": len(result.history),
        "best_epoch": result.best_epoch,
        "parameters": cost.parameters,
        "macs": cost.macs,
        "images_per_second": pictures / statistics.median(warm),
    }


def curve_of(lines: Sequence[EpochMetrics]) -> list[tuple[float, float]]:
    """(seconds of training so far, val mAP50-95) of each epoch that was scored; scoring itself takes no time here."""
    points, elapsed = [], 0.0
    for line in lines:
        elapsed += line.seconds
        if line.map50_95 is not None:
            points.append((round(elapsed, 3), line.map50_95))
    return points


def _detected(run: Run, network: Detector, pictures: Pictures, place: Place) -> dict[str, Accuracy]:
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


def model_folder(out: Path, name: str) -> Path:
    """Where the model of the run called ``name`` is, if it was asked for."""
    return out / "models" / name
