"""The training loss of the detector: cross-entropy on objectness and class, complete IoU on boxes."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from netwright.models.assign import Assignment, Truth, assign
from netwright.models.detector import Detector, RawPredictions

TINY = 1e-7


@dataclass(frozen=True)
class DetectionLoss:
    """Scalars: ``total`` is the weighted sum that is minimised; the parts are for the curves."""

    total: Tensor
    objects: Tensor
    classes: Tensor
    boxes: Tensor


def detection_loss(
    network: Detector,
    raw: RawPredictions,
    truth: Truth,
    *,
    box_weight: float,
    iou_power: float = 1.0,
    class_weights: Tensor | None = None,
    total_of: Callable[[Tensor], Tensor] = lambda own: own,
) -> DetectionLoss:
    """Loss of raw predictions against ``truth``, normalised by the sum of target strengths (at least 1).

    The loss of boxes (see complete_iou_loss, with ``iou_power``) counts ``box_weight`` times, the others once.
    ``class_weights`` (C,) multiply what the objects of
    each class count. ``total_of`` gives the sum over the whole batch where these pictures are a part of it: the parts'
    losses then sum to the batch's.

    Every cell is computed and those without an object count nothing: shapes then do not depend on the values, and the
    device is never waited for.
    """
    boxes, scores = network.decode(raw)
    target = assign(scores.detach(), boxes.detach(), network.points, truth)
    normaliser = total_of(target.strength.sum()).clamp(min=1.0)
    count = target.strength if class_weights is None else target.strength * class_weights[target.labels]
    weight = None if class_weights is None else torch.where(target.positive, class_weights[target.labels], 1.0)
    everywhere = functional.binary_cross_entropy_with_logits(
        raw.objectness.squeeze(-1), target.strength, weight, reduction="sum"
    )
    wrong = functional.cross_entropy(raw.logits.transpose(1, 2), target.labels, reduction="none")
    misfit = _misfit(boxes, target, network.points, iou_power)
    objects = everywhere / normaliser
    classes = torch.sum(wrong * count) / normaliser
    fit = torch.sum(misfit * count) / normaliser
    total = objects + classes + box_weight * fit
    return DetectionLoss(total, objects.detach(), classes.detach(), fit.detach())


def _misfit(boxes: Tensor, target: Assignment, points: Tensor, power: float) -> Tensor:
    """Complete IoU loss (B, A); a cell without an object compares a box around its point with itself."""
    nothing = torch.cat((points - 1, points + 1), -1)
    own, wanted = (torch.where(target.positive.unsqueeze(-1), part, nothing) for part in (boxes, target.boxes))
    return complete_iou_loss(own, wanted, power)


def complete_iou_loss(boxes: Tensor, wanted: Tensor, power: float = 1.0) -> Tensor:
    """``1 - IoU + distance + aspect`` (...) of boxes (..., 4) and wanted boxes (..., 4), xyxy with an area.

    ``power`` raises each of the three: above 1, boxes that fit already are drawn further and bad ones less. Sources:
    Zheng et al., "Distance-IoU Loss", 2020; He et al., "Alpha-IoU", 2021. torchvision's, to which a test compares it,
    waits for the device, and so does the gradient of ``prod``.
    """
    low, high = torch.maximum(boxes[..., :2], wanted[..., :2]), torch.minimum(boxes[..., 2:], wanted[..., 2:])
    size, wanted_size, shared_size = boxes[..., 2:] - boxes[..., :2], wanted[..., 2:] - wanted[..., :2], high - low
    own, other, shared = (side[..., 0] * side[..., 1] for side in (size, wanted_size, shared_size.clamp(min=0)))
    iou = shared / (own + other - shared + TINY)
    hull = torch.maximum(boxes[..., 2:], wanted[..., 2:]) - torch.minimum(boxes[..., :2], wanted[..., :2])
    apart = (boxes[..., :2] + boxes[..., 2:] - wanted[..., :2] - wanted[..., 2:]).square().sum(-1) / 4
    # a predicted side may round to 0, and 0 / 0 is no number
    turned, wanted_turned = (torch.atan(side[..., 0] / side[..., 1].clamp(min=TINY)) for side in (size, wanted_size))
    aspect = 4 / math.pi**2 * (wanted_turned - turned).square()
    with torch.no_grad():
        share = aspect / (1 - iou + aspect + TINY)
    distance, shape = apart / (hull.square().sum(-1) + TINY), share * aspect
    if power != 1.0:  # a root's or a power's gradient at 0 is no number
        iou, distance, shape = ((part + TINY) ** power for part in (iou, distance, shape))
    return 1 - iou + distance + shape
