"""The training that train, prune and qat have in common: pictures, scores, progress, and going on after a kill."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from netwright.types import Architecture, NmsPolicy

if TYPE_CHECKING:
    from torch import nn

    from netwright.data.feeding.pictures import PictureSet
    from netwright.evaluation.coco import Accuracy
    from netwright.models.detector import Detector
    from netwright.training.recipe import FitResult, Recipe
    from netwright.training.team import Team


@dataclass(frozen=True, kw_only=True)
class Ground:
    """Where a stage trains: its name, the dataset and the network's folder that it reads, device and scratch.

    ``processes`` share the training, each on a GPU of its own, or on the CPU's cores.
    """

    stage: str
    data: Path
    source: Path
    device: str
    scratch: Path
    workers: int = 0
    processes: int = 1

    def pictures(self, split: str, network: Architecture) -> "PictureSet":
        """The split, decoded for ``network``. Raises UserError where it is for other classes."""
        from netwright.data.feeding.pictures import load_pictures

        return load_pictures(
            self.data, split, network.input, classes=network.classes, scratch=self.scratch, workers=self.workers
        )


@dataclass(frozen=True, kw_only=True)
class Scorer:
    """COCO accuracy of a network on ``pictures``."""

    pictures: "PictureSet"
    nms: NmsPolicy
    batch_size: int
    device: str

    def __call__(self, network: "nn.Module") -> "Accuracy":
        from netwright.evaluation.detect import score_network

        return score_network(network, self.pictures, self.nms, batch_size=self.batch_size, device=self.device)


@contextlib.contextmanager
def tuned(
    ground: Ground,
    network: "Detector",
    pictures: "PictureSet",
    *,
    recipe: "Recipe",
    settings: Sequence[Any],
    score: Scorer,
    start: "Accuracy | None" = None,
) -> "Iterator[FitResult]":
    """Train ``network`` in place, then run the block, which writes the results; only then checkpoints are removed.

    ``settings`` are all sections that decide the outcome; ``start`` as in fit.
    """
    from netwright.training.auto_batch import fit_in_memory
    from netwright.training.team import assemble
    from stages._training.epochs import JOURNALS, EpochReporter
    from stages._training.resume import resumable

    team = assemble(ground.processes, ground.device)
    if not team.leads:
        _follow(network, pictures, recipe=recipe, ground=ground, score=score, start=start, team=team)
    with resumable(
        ground.stage,
        settings=settings,
        data=ground.data,
        source=ground.source,
        device=ground.device,
        processes=team.size,
        scratch=ground.scratch,
    ) as checkpoints:
        journal = ground.scratch / JOURNALS / f"{checkpoints.folder.name}.jsonl"
        reporter = EpochReporter(ground.stage, recipe.epochs, journal)
        yield fit_in_memory(
            network,
            pictures,
            recipe=recipe,
            device=ground.device,
            score=score,
            on_epoch=reporter,
            start=start,
            checkpoints=checkpoints,
            on_resume=reporter.resumed,
            team=team,
        )
        reporter.finished()


def _follow(
    network: "Detector",
    pictures: "PictureSet",
    *,
    recipe: "Recipe",
    ground: Ground,
    score: Scorer,
    start: "Accuracy | None",
    team: "Team",
) -> NoReturn:
    """Train with the leader, which keeps and writes everything; then this process has nothing left to do."""
    from netwright.training.auto_batch import fit_in_memory
    from netwright.training.team import another_has_ended

    try:
        fit_in_memory(
            network,
            pictures,
            recipe=recipe,
            device=ground.device,
            score=score,
            on_epoch=lambda _: None,
            start=start,
            checkpoints=None,
            team=team,
        )
    except RuntimeError as error:
        if another_has_ended(error):
            sys.exit(1)
        raise
    sys.exit(0)
