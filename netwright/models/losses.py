"""The training loss of the detector: cross-entropy on objectness and class, complete IoU on boxes."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import complete_box_iou_loss

from netwright.models.assign import Truth, assign
from netwright.models.detector import Detector, RawPredictions

OBJECT_WEIGHT = 1.0
CLASS_WEIGHT = 1.0
BOX_WEIGHT = 2.5


@dataclass(frozen=True)
class DetectionLoss:
    """Scalars: ``total`` is the weighted sum that is minimised; the parts are for the curves."""

    total: Tensor
    objects: Tensor
    classes: Tensor
    boxes: Tensor


def detection_loss(network: Detector, raw: RawPredictions, truth: Truth) -> DetectionLoss:
    """Loss of raw predictions against ``truth``, normalised by the sum of target strengths (at least 1)."""
    boxes, scores = network.decode(raw)
    target = assign(scores.detach(), boxes.detach(), network.points, truth)
    positive, weight = target.positive, target.strength[target.positive]
    normaliser = target.strength.sum().clamp(min=1.0)
    everywhere = functional.binary_cross_entropy_with_logits(
        raw.objectness.squeeze(-1), target.strength, reduction="sum"
    )
    wrong = functional.cross_entropy(raw.logits[positive], target.labels[positive], reduction="none")
    misfit = complete_box_iou_loss(boxes[positive], target.boxes[positive])
    objects = everywhere / normaliser
    classes = torch.sum(wrong * weight) / normaliser
    fit = torch.sum(misfit * weight) / normaliser
    total = OBJECT_WEIGHT * objects + CLASS_WEIGHT * classes + BOX_WEIGHT * fit
    return DetectionLoss(total, objects.detach(), classes.detach(), fit.detach())
