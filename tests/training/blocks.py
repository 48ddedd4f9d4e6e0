"""The smallest dataset that anything can learn, and a network for it."""

import numpy as np
import torch

from netwright.data.feeding.pictures import PictureSet
from netwright.data.feeding.preprocess import fit_picture
from netwright.evaluation.coco import Accuracy
from netwright.models.build import build_network
from netwright.models.detector import Detector
from netwright.training.recipe import Recipe
from netwright.types import Architecture, AugmentPolicy, InputSpec

SPEC = InputSpec(height=64, width=64)
RECIPE = Recipe(
    epochs=2,
    batch_size=4,
    learning_rate=3e-3,
    weight_decay=0.01,
    warmup_epochs=0.5,
    ema_decay=0.9,
    clip_norm=10.0,
    box_weight=2.5,
    iou_power=1.0,
    precision="fp32",
    threads=1,
    seed=3,
    patience=0,
    validate_every=1,
    decay_share=0.3,
    plain_epochs=0,
    freeze=(),
    freeze_norms=False,
    class_weights={},
    auto_batch=False,
    compiled=(),
    augment=AugmentPolicy(scale=(1.0, 1.0), translate=0.0, mosaic=0.0),
)


def constant(value: float) -> Accuracy:
    """The accuracy of a score that is made up."""
    return Accuracy(map50_95=value, map50=value, per_class={}, per_class50={})


def blocks(count: int) -> PictureSet:
    """Red or green blocks on grey: two classes that anything can learn."""
    rng = np.random.default_rng(0)
    pixels, boxes, labels = [], [], []
    for _ in range(count):
        picture = np.full((64, 64, 3), 90, dtype=np.uint8)
        x, y = rng.integers(4, 30, 2)
        label = int(rng.integers(0, 2))
        picture[y : y + 26, x : x + 26, label] = 240
        pixels.append(fit_picture(picture, SPEC))
        boxes.append(np.array([[x, y, x + 26, y + 26]], dtype=np.float32))
        labels.append(np.array([label], dtype=np.int64))
    return PictureSet(
        names=tuple(str(index) for index in range(count)),
        pixels=np.stack([row for row, _ in pixels]),
        geometries=tuple(geometry for _, geometry in pixels),
        boxes=tuple(boxes),
        labels=tuple(labels),
        classes=("red", "green"),
    )


def small_network(backbone: str = "test_resnet") -> Detector:
    """Two classes, 64x64 pixels, random weights of a fixed seed."""
    torch.manual_seed(0)
    architecture = Architecture(
        builder="detector",
        backbone=backbone,
        levels=(8, 16),
        neck_channels=16,
        classes=("red", "green"),
        input=SPEC,
    )
    return build_network(architecture)
