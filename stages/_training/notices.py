"""What a training allows and its user hardly meant: said before it begins."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from netwright.data.feeding.moves import SMALLEST
from netwright.data.feeding.pictures import PictureSet
from netwright.models.assign import hold_points
from stages.settings import Train


def notices(train: Train, pictures: PictureSet, val: PictureSet, levels: Sequence[int]) -> Iterator[str]:
    """Lines about the train split ``pictures`` and ``val`` for a network with these ``levels`` (strides)."""
    seen = {label for own in pictures.labels for label in own.tolist()}
    if missing := [name for index, name in enumerate(pictures.classes) if index not in seen]:
        yield f"no box of {', '.join(missing)} in the train split: that cannot be learnt"
    if not any(len(own) for own in val.labels):
        yield "no box in the val split: no epoch can be told from another, and the last one is kept"
    if train.plain_epochs >= train.epochs:
        yield f"train.plain_epochs is {train.plain_epochs}: all {train.epochs} epochs go without mosaic, zoom and shift"
    lost, count = _too_small(pictures, levels)
    if lost:
        yield (
            f"{lost} of {count} boxes of the train split have a side under {SMALLEST:.0f} pixels in the input, "
            "or hold no cell's centre: they are taught as background; raise model.height and model.width, or give "
            f"model.levels a finer stride than {min(levels)}"
        )


def _too_small(pictures: PictureSet, levels: Sequence[int]) -> tuple[int, int]:
    """How many boxes no cell answers for, of how many."""
    boxes = torch.from_numpy(np.concatenate([pictures.input_boxes(index) for index in range(len(pictures))]))
    answered = hold_points(boxes, levels) & ((boxes[:, 2:] - boxes[:, :2]).amin(-1) >= SMALLEST)
    return len(boxes) - int(answered.sum()), len(boxes)
