"""From a batch to its loss: augment, forward, loss; with torch.compile where the recipe asks for it."""

from collections.abc import Callable, Collection
from typing import NamedTuple

import torch
from torch import Tensor

from netwright.data.feeding.augment import Labelled, augment
from netwright.data.feeding.chances import Chances
from netwright.errors import UserError
from netwright.models.assign import Truth
from netwright.models.detector import Detector, RawPredictions
from netwright.models.losses import DetectionLoss, detection_loss
from netwright.training.recipe import CompiledPart, Recipe
from netwright.training.team import Team
from netwright.types import AugmentPolicy

MIXED = {"bf16": torch.bfloat16, "fp16": torch.float16}


class _Parts(NamedTuple):
    augment: Callable[[Labelled, AugmentPolicy, Chances], Labelled]
    network: Callable[[Tensor], RawPredictions]
    loss: Callable[..., DetectionLoss]


class Forward:
    """The loss of ``network`` on a batch under ``recipe``, computed in ``precision``.

    ``captured``: the whole is recorded as a CUDA graph, in which autocast may keep no copies of weights.
    """

    def __init__(self, network: Detector, recipe: Recipe, team: Team, *, precision: str, captured: bool) -> None:
        self._network, self._recipe, self._team = network, recipe, team
        self._dtype, self._captured = MIXED.get(precision), captured
        self._class_weights = _class_weights(recipe, network)
        self._plain = _Parts(augment, network.predict_raw, detection_loss)
        self._compiled = _compiled(self._plain, recipe.compiled)
        self._whole = recipe.batch_size // team.size

    def __call__(self, batch: Labelled, chances: Chances, policy: AugmentPolicy) -> DetectionLoss:
        """The loss of uint8 pixels (B, 3, H, W) and their truth, augmented by ``policy``."""
        # an epoch's last, smaller batch is not worth minutes of compiling
        parts = self._compiled if len(batch.pixels) >= self._whole else self._plain
        shown = parts.augment(batch, policy, chances)
        cached = not self._captured
        kind = shown.pixels.device.type
        with torch.autocast(kind, self._dtype, enabled=self._dtype is not None, cache_enabled=cached):
            raw = parts.network(shown.pixels.contiguous(memory_format=torch.channels_last))
        return parts.loss(
            self._network,
            raw,
            Truth(shown.boxes, shown.labels, shown.valid),
            box_weight=self._recipe.box_weight,
            iou_power=self._recipe.iou_power,
            class_weights=self._class_weights,
            total_of=self._team.sum,
        )


def _compiled(parts: _Parts, chosen: Collection[CompiledPart]) -> _Parts:
    return _Parts(*(torch.compile(part) if name in chosen else part for name, part in parts._asdict().items()))


def _class_weights(recipe: Recipe, network: Detector) -> Tensor | None:
    classes = network.architecture.classes
    if unknown := sorted(set(recipe.class_weights) - set(classes)):
        raise UserError(f"train.class_weights names {', '.join(unknown)}: the classes are {', '.join(classes)}")
    if not recipe.class_weights:
        return None
    return torch.tensor([recipe.class_weights.get(name, 1.0) for name in classes], device=network.points.device)
