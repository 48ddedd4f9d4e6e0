"""Images/s of our training steps in one process, and the share of them that waits for data.

``python -m benchmarks.step_speed JSON`` is how train_speed and gpu_scaling call it; the last line on stdout is JSON.
"""

import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.changed_params import changed_settings, read_params
from benchmarks.recipe_run import WARM_EPOCHS, Place, seeded, start_network
from netwright.data.feeding.pictures import PictureSet, load_pictures
from netwright.evaluation.coco import Accuracy
from netwright.training.batches import Feed
from netwright.training.loop import fit
from netwright.training.precision import Precision
from netwright.training.recipe import EpochMetrics
from netwright.training.team import Team, assemble
from stages import paths
from stages._training.epochs import recipe_of
from stages.settings import Settings

NONE = Accuracy(map50_95=0.0, map50=0.0, per_class={}, per_class50={})
# what is measured, and the recipe's name for it
PRECISIONS: dict[str, Precision] = {"fp32": "fp32", "tf32": "fp32", "bf16": "bf16", "fp16": "fp16"}


class WaitClock:
    """Time between a step's end and the next one's begin: on a GPU as its stream sees it, by events."""

    def __init__(self, device: str) -> None:
        self._on_gpu, self._spans = device == "cuda", list[tuple[Any, Any]]()

    def watched(self, epoch: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        """``epoch``, a method that gives batches, with each wait for one noted."""

        def method(*positional: Any, **named: Any) -> Iterator[Any]:
            batches = epoch(*positional, **named)
            while True:
                begun = self._now()
                batch = next(batches, None)
                if batch is None:
                    return
                self._spans.append((begun, self._now()))
                yield batch

        return method

    def taken(self) -> float:
        """Seconds waited since the last call; the device must have finished."""
        spans, self._spans = self._spans, []
        if self._on_gpu:
            return float(sum(begun.elapsed_time(ended) for begun, ended in spans)) / 1e3
        return float(sum(ended - begun for begun, ended in spans))

    def _now(self) -> Any:
        if not self._on_gpu:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event


@contextmanager
def watching(clock: WaitClock) -> Iterator[None]:
    """The training loop's feed tells ``clock`` of its waits."""
    epoch = Feed.epoch
    Feed.epoch = clock.watched(epoch)  # type: ignore[method-assign]
    try:
        yield
    finally:
        Feed.epoch = epoch  # type: ignore[method-assign]


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
    values = replace(
        settings.train, precision=PRECISIONS[name], patience=0, plain_epochs=0, validate_every=settings.train.epochs
    )
    place = Place(data=project / paths.CONVERTED, scratch=project / ".netwright", out=project, device=device)
    network = start_network(seeded(name, values.seed, settings), place)
    pictures = load_pictures(place.data, "train", network.architecture.input, scratch=place.scratch)
    pictures = repeated(pictures, repeat)
    clock, lines, waits = WaitClock(device), list[EpochMetrics](), list[float]()

    def report(line: EpochMetrics) -> None:
        lines.append(line)
        waits.append(clock.taken())
        print(f"{name} epoch {line.epoch}: {line.seconds:.3f} s, loss {line.loss:.3f}", flush=True)

    with watching(clock):
        fit(
            network, pictures, recipe=recipe_of(values), device=device, score=lambda _: NONE, on_epoch=report, team=team
        )
    warm = slice(min(WARM_EPOCHS, len(lines) - 1), None)
    seconds = [line.seconds for line in lines]
    return {
        "images_per_second": len(pictures) / statistics.median(seconds[warm]),
        "data_wait_share": sum(waits[warm]) / sum(seconds[warm]),
        "warm_up_seconds": sum(seconds[: warm.start]),
        "tf32": bool(torch.backends.cudnn.allow_tf32),
        "memory_gib": torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else None,
    }


def repeated(pictures: PictureSet, times: int) -> PictureSet:
    """Every picture ``times`` times: a small dataset that lasts for some steps of a large batch."""
    if times == 1:
        return pictures
    lists = {name: getattr(pictures, name) * times for name in ("names", "geometries", "boxes", "labels")}
    return replace(pictures, pixels=np.concatenate([pictures.pixels] * times), **lists)


def main() -> None:
    """Measure each arithmetic asked for; one that fails says why and does not end the others."""
    asked = json.loads(sys.argv[1])
    project, found = Path(asked["project"]), {}
    settings = changed_settings(read_params(project), asked["changes"])
    team, repeat = assemble(asked.get("processes", 1), asked["device"]), asked.get("repeat", 1)
    for name in asked["precisions"]:
        try:
            found[name] = measure(settings, project, asked["device"], name, team=team, repeat=repeat)
        except Exception as error:  # noqa: BLE001 the next arithmetic may work
            found[name] = {"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
        gc.collect()
        if asked["device"] == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
    if team.leads:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
