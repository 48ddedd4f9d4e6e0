"""Two processes of which the leader fails: run by test_followers."""

import sys
from pathlib import Path

from torch import nn

from netwright.errors import UserError
from netwright.evaluation.coco import Accuracy
from netwright.types import NmsPolicy
from stages._entry.failures import guarded
from stages._training.tuned import Ground, Scorer, tuned
from tests.training.blocks import RECIPE, blocks, small_network


class _Failing(Scorer):
    def __call__(self, network: nn.Module) -> Accuracy:
        raise UserError("no room for what is scored")


def work() -> None:
    """Train as a stage does, until the leader scores."""
    ground = Ground(
        stage="train", data=Path("data"), source=Path("init"), device="cpu", scratch=Path("scratch"), processes=2
    )
    score = _Failing(pictures=blocks(4), nms=NmsPolicy(), batch_size=2, device="cpu")
    with tuned(ground, small_network(), blocks(8), recipe=RECIPE, settings=(), score=score):
        pass


sys.exit(guarded("train", work))
