"""Task-aligned assignment: which grid cells answer for which box.

Source: Feng et al., "TOOD: Task-aligned One-stage Object Detection", 2021. A cell's alignment with a box is
``score ** SCORE_POWER * iou ** IOU_POWER``; each box takes its best ``TOP`` cells among those whose centre it
holds, and a cell wanted by several boxes goes to the one that it overlaps most.

Shapes: B pictures, A anchor points, M boxes (padded), C classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

TOP = 10
SCORE_POWER = 1.0
IOU_POWER = 6.0
TINY = 1e-9


@dataclass(frozen=True)
class Truth:
    """``boxes`` (B, M, 4) xyxy in input pixels, ``labels`` (B, M) int64, ``valid`` (B, M) bool: False is padding."""

    boxes: Tensor
    labels: Tensor
    valid: Tensor


@dataclass(frozen=True)
class Assignment:
    """Targets: ``strength`` (B, A) 0..1 of objectness, 0 where ``positive`` (B, A) is False.

    ``labels`` (B, A) and ``boxes`` (B, A, 4) mean something where ``positive`` is True.
    """

    strength: Tensor
    labels: Tensor
    boxes: Tensor
    positive: Tensor


@torch.no_grad()
def assign(scores: Tensor, boxes: Tensor, points: Tensor, truth: Truth) -> Assignment:
    """Targets for predicted scores (B, A, C) of 0..1 and boxes (B, A, 4) at anchor points (A, 2)."""
    anchors = scores.shape[1]
    overlap = pairwise_iou(truth.boxes, boxes)
    wanted = scores.transpose(1, 2).gather(1, truth.labels.unsqueeze(-1).expand(-1, -1, anchors))
    allowed = _inside(points, truth.boxes) & truth.valid.unsqueeze(-1)
    alignment = wanted.pow(SCORE_POWER) * overlap.pow(IOU_POWER) * allowed
    chosen = _top(alignment, allowed)
    owner, positive = _resolve(chosen, overlap)
    strength = _strength(alignment * chosen, overlap * chosen).gather(1, owner.unsqueeze(1)).squeeze(1)
    return Assignment(
        strength=strength * positive,
        labels=truth.labels.gather(1, owner),
        boxes=truth.boxes.gather(1, owner.unsqueeze(-1).expand(-1, -1, 4)),
        positive=positive,
    )


def pairwise_iou(boxes: Tensor, others: Tensor) -> Tensor:
    """IoU (B, M, A) of boxes (B, M, 4) with others (B, A, 4), xyxy; 0 where neither has an area."""
    left, top, right, bottom = boxes.unsqueeze(2).unbind(-1)
    planes = others.transpose(1, 2).contiguous()  # side by side in memory: several times faster on a CPU
    other_left, other_top, other_right, other_bottom = planes.unsqueeze(2).unbind(1)
    width = (torch.minimum(right, other_right) - torch.maximum(left, other_left)).clamp_(min=0)
    height = (torch.minimum(bottom, other_bottom) - torch.maximum(top, other_top)).clamp_(min=0)
    shared = width.mul_(height)
    areas, other_areas = (right - left) * (bottom - top), (other_right - other_left) * (other_bottom - other_top)
    return shared / (areas + other_areas - shared).clamp_(min=TINY)


def _inside(points: Tensor, boxes: Tensor) -> Tensor:
    """(B, M, A) bool: does the box hold the anchor point?"""
    x, y = points.t().contiguous().unbind(0)
    left, top, right, bottom = boxes.unsqueeze(2).unbind(-1)
    return (x - left > TINY) & (right - x > TINY) & (y - top > TINY) & (bottom - y > TINY)


def hold_points(boxes: Tensor, strides: Sequence[int]) -> Tensor:
    """Which boxes (N, 4), xyxy in input pixels, hold an anchor point of any level: (N,) bool; no cell takes others."""
    found = torch.zeros(len(boxes), dtype=torch.bool)
    for stride in strides:
        first = (torch.floor(boxes[:, :2] / stride - 0.5) + 1.5) * stride  # the first centre beyond the low corner
        found |= (first < boxes[:, 2:]).all(-1)
    return found


def _top(alignment: Tensor, allowed: Tensor) -> Tensor:
    """(B, M, A) bool: the best TOP allowed cells of each box."""
    best = alignment.topk(min(TOP, alignment.shape[-1]), dim=-1).indices
    chosen = torch.zeros_like(allowed).scatter_(-1, best, torch.ones_like(best, dtype=torch.bool))
    return chosen & allowed


def _resolve(chosen: Tensor, overlap: Tensor) -> tuple[Tensor, Tensor]:
    """The box (B, A) that each cell answers for, and whether it answers for any (B, A)."""
    owner = torch.where(chosen, overlap, -1.0).argmax(1)
    return owner, chosen.any(1)


def _strength(alignment: Tensor, overlap: Tensor) -> Tensor:
    """(B, M, A) target scores: alignment scaled so that each box's best cell gets the box's best IoU.

    Two exceptions: a box whose alignments all lie near TINY (with many classes, first guesses at very small and very
    large boxes) gets less until they grow, and a best cell that another box takes still counts as its best.
    """
    best = alignment.amax(-1, keepdim=True)
    return alignment / (best + TINY) * overlap.amax(-1, keepdim=True)
