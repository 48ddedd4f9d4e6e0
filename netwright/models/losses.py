"""The training loss of the detector: binary cross-entropy on classes, complete IoU on boxes."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import complete_box_iou_loss

from netwright.models.assign import Truth, assign
from netwright.models.detector import Detector, RawPredictions

CLASS_WEIGHT = 1.0
BOX_WEIGHT = 2.5


@dataclass(frozen=True)
class DetectionLoss:
    """Scalars: ``total`` is the weighted sum that is minimised; the parts are for the curves."""

    total: Tensor
    classes: Tensor
    boxes: Tensor


def detection_loss(network: Detector, raw: RawPredictions, truth: Truth) -> DetectionLoss:
    """Loss of raw predictions against ``truth``, normalised by the sum of target scores (at least 1)."""
    boxes, scores = network.decode(raw)
    target = assign(scores.detach(), boxes.detach(), network.points, truth)
    normaliser = target.scores.sum().clamp(min=1.0)
    classes = functional.binary_cross_entropy_with_logits(raw.logits, target.scores, reduction="sum") / normaliser
    weight = target.scores.sum(-1)[target.positive]
    misfit = complete_box_iou_loss(boxes[target.positive], target.boxes[target.positive])
    fit = torch.sum(misfit * weight) / normaliser
    return DetectionLoss(CLASS_WEIGHT * classes + BOX_WEIGHT * fit, classes.detach(), fit.detach())
