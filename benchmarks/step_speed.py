"""Images/s of our training steps in one process, and the share of them that waits for data.

``python -m benchmarks.step_speed JSON`` is how train_speed and gpu_scaling call it; the last line on stdout is JSON.
"""

import gc
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.before_measuring import check_device
from benchmarks.changed_params import changed_settings, read_params
from benchmarks.recipe_run import WARM_EPOCHS, Place, seeded, start_network
from benchmarks.wait_clock import WaitClock, watching
from netwright.data.feeding.pictures import PictureSet, load_pictures
from netwright.evaluation.coco import Accuracy
from netwright.models.detector import Detector
from netwright.training.loop import fit
from netwright.training.precision import Precision
from netwright.training.recipe import EpochMetrics
from netwright.training.team import Team, assemble
from stages import paths
from stages._entry.failures import guarded
from stages._training.epochs import recipe_of
from stages.settings import Settings, Train

NONE = Accuracy(map50_95=0.0, map50=0.0, per_class={}, per_class50={})
# what is measured, and the recipe's name for it
PRECISIONS: dict[str, Precision] = {"fp32": "fp32", "tf32": "fp32", "bf16": "bf16", "fp16": "fp16"}


def measure(
    settings: Settings,
    project: Path,
    device: str,
    name: str,
    *,
    team: Team = Team(),  # noqa: B008 frozen
    repeat: int = 1,
) -> dict[str, Any]:
    """Train for settings.train.epochs in the arithmetic ``name``, never scoring; medians over the warm epochs.

    An epoch shows every picture ``repeat`` times.
    """
    torch.backends.cudnn.allow_tf32 = name != "fp32"
    torch.backends.cuda.matmul.allow_tf32 = False  # as torch comes; what a detector computes are convolutions
    values = measured_values(settings, name)
    network, pictures = material(settings, project, device, repeat)
    clock, lines, waits = WaitClock(device), list[EpochMetrics](), list[float]()

    def report(line: EpochMetrics) -> None:
        lines.append(line)
        waits.append(clock.taken())
        print(f"{name} epoch {line.epoch}: {line.seconds:.3f} s, loss {line.loss:.3f}", flush=True)

    with watching(clock):
        fit(
            network, pictures, recipe=recipe_of(values), device=device, score=lambda _: NONE, on_epoch=report, team=team
        )
    memory = torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else None
    return summary(lines, waits, len(pictures)) | {
        "tf32": bool(torch.backends.cudnn.allow_tf32),
        "memory_gib": memory,
    }


def measured_values(settings: Settings, name: str) -> Train:
    """The train section in the arithmetic ``name``, with all that would interrupt the steps left out."""
    epochs = settings.train.epochs
    return replace(settings.train, precision=PRECISIONS[name], patience=0, plain_epochs=0, validate_every=epochs)


def material(settings: Settings, project: Path, device: str, repeat: int) -> tuple[Detector, PictureSet]:
    """A new network on the CPU, and the train split ``repeat`` times."""
    place = Place(data=project / paths.CONVERTED, scratch=project / ".netwright", out=project, device=device)
    network = start_network(seeded("", settings.train.seed, settings), place)
    pictures = load_pictures(place.data, "train", network.architecture.input, scratch=place.scratch)
    return network, repeated(pictures, repeat)


def summary(lines: Sequence[EpochMetrics], waits: Sequence[float], pictures: int) -> dict[str, Any]:
    """Speed and share of waiting over the warm epochs."""
    warm = slice(min(WARM_EPOCHS, len(lines) - 1), None)
    seconds = [line.seconds for line in lines]
    return {
        "images_per_second": pictures / statistics.median(seconds[warm]),
        "data_wait_share": sum(waits[warm]) / sum(seconds[warm]),
        "warm_up_seconds": sum(seconds[: warm.start]),
    }


def repeated(pictures: PictureSet, times: int) -> PictureSet:
    """Every picture ``times`` times: a small dataset that lasts for some steps of a large batch."""
    if times == 1:
        return pictures
    lists = {name: getattr(pictures, name) * times for name in ("names", "geometries", "boxes", "labels")}
    return replace(pictures, pixels=np.concatenate([pictures.pixels] * times), **lists)


def run(asked: dict[str, Any]) -> None:
    """Measure each arithmetic asked for; one that fails says why and does not end the others."""
    device, project, found = asked["device"], Path(asked["project"]), {}
    settings = changed_settings(read_params(project), asked["changes"])
    check_device(device)
    team, repeat = assemble(asked.get("processes", 1), device), asked.get("repeat", 1)
    for name in asked["precisions"]:
        try:
            found[name] = measure(settings, project, device, name, team=team, repeat=repeat)
        except Exception as error:  # noqa: BLE001 the next arithmetic may work
            found[name] = {"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
        gc.collect()
        if device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
    if team.leads:
        print(json.dumps(found))


def main() -> None:
    """Read what is asked for and measure."""
    asked = json.loads(sys.argv[1])
    sys.exit(guarded("step_speed", lambda: run(asked)))


if __name__ == "__main__":
    main()
