"""What a training is told before it begins."""

from pathlib import Path

import numpy as np

from benchmarks.changed_params import changed_settings, read_params
from netwright.data.feeding.pictures import PictureSet
from netwright.data.feeding.preprocess import fit_geometry
from netwright.types import InputSpec
from stages._training.notices import notices
from stages.settings import Train

ROOT = Path(__file__).resolve().parents[2]


def _train(**changes: object) -> Train:
    return changed_settings(read_params(ROOT), {f"train.{name}": value for name, value in changes.items()}).train


def _pictures(*boxes: list[float]) -> PictureSet:
    """One picture of twice the size of its network's input, all boxes of the first of two classes."""
    spec = InputSpec(height=64, width=64)
    return PictureSet(
        names=("a",),
        pixels=np.zeros((1, 3, 64, 64), np.uint8),
        geometries=(fit_geometry(128, 128, spec),),
        boxes=(np.array(boxes, np.float32).reshape(-1, 4),),
        labels=(np.zeros(len(boxes), np.int64),),
        classes=("near", "far"),
    )


VAL = _pictures([20, 20, 80, 80])


def test_a_val_split_without_a_box_is_named() -> None:
    _, said = notices(_train(), VAL, _pictures(), (8, 16))
    assert said == "no box in the val split: no epoch can be told from another, and the last one is kept"


def test_a_class_without_a_box_is_named() -> None:
    assert list(notices(_train(), _pictures([20, 20, 80, 80]), VAL, (8, 16))) == [
        "no box of far in the train split: that cannot be learnt"
    ]


def test_epochs_that_are_all_plain_are_named() -> None:
    _, said = notices(_train(epochs=10, plain_epochs=10), _pictures([20, 20, 80, 80]), VAL, (8, 16))
    assert said == "train.plain_epochs is 10: all 10 epochs go without mosaic, zoom and shift"


def test_boxes_too_small_for_the_input_are_counted() -> None:
    thin, between_centres, seen = [20, 20, 25, 80], [26, 26, 36, 36], [20, 20, 80, 80]  # in the input half of these
    _, said = notices(_train(), _pictures(thin, between_centres, seen), VAL, (8, 16))
    assert said.startswith("2 of 3 boxes of the train split have a side under 3 pixels in the input")
    assert said.endswith("a finer stride than 8")
