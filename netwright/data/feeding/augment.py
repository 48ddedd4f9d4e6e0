"""Random changes of a whole batch on its device: mosaic, scale, shift, mirror, quarter turn, colour. Labels stay true.

Chance is drawn beforehand (see chances): nothing here waits for the device, so a step can be captured whole.
Shapes: B pictures, M boxes (padded).
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from netwright.data.feeding.chances import Chances
from netwright.data.feeding.moves import FILL, carry, move_of, pair, warp
from netwright.types import AugmentPolicy

ROOMY = 48  # boxes of a mosaic that cost the loss little


@dataclass(frozen=True)
class Labelled:
    """Pixels (B, 3, H, W), uint8 as they come and float 0..255 once augmented, and what they show.

    ``boxes`` (B, M, 4) xyxy in input pixels, ``labels`` (B, M) int64, ``valid`` (B, M) bool: False is padding.
    """

    pixels: Tensor
    boxes: Tensor
    labels: Tensor
    valid: Tensor


def parts_of(batch: Labelled) -> Iterator[Tensor]:
    """Its tensors, in the order of its fields."""
    return (getattr(batch, field.name) for field in fields(batch))


def augment(batch: Labelled, policy: AugmentPolicy, chances: Chances) -> Labelled:
    """The batch as ``chances`` change it.

    With ``policy.mosaic`` there is room for max(2 M, ROOMY) boxes, and never for more than 4 M; a picture whose mosaic
    would show more stays alone, for a label that is left out would teach that nothing is there.
    """
    height, width = batch.pixels.shape[-2:]
    if policy.mosaic:
        room = min(4 * batch.boxes.shape[1], max(2 * batch.boxes.shape[1], ROOMY))
        chances = chances.without_mosaic(_crowded(batch, policy, chances, room))
        batch = _mosaic(batch, chances)
    move = move_of(chances, policy, height, width)
    canvas = (batch.pixels.shape[-2], batch.pixels.shape[-1])
    boxes, seen = carry(batch.boxes, move, canvas=canvas, size=(height, width), visible=policy.visible)
    pixels = _recolour(warp(batch.pixels, move, height, width), chances)
    moved = Labelled(pixels, boxes, batch.labels, batch.valid & seen)
    return _compact(moved, room) if policy.mosaic else moved


def _mosaic(batch: Labelled, chances: Chances) -> Labelled:
    """Each picture with three of the batch around it: a canvas (B, 3, 2H, 2W) with the boxes of all four.

    A picture without mosaic gets three grey neighbours and is centred by its move.
    """
    count, colours, height, width = batch.pixels.shape
    alone = (chances.column("mosaic") == 0)[:, None, None, None]
    canvas = batch.pixels.new_empty((count, colours, 2 * height, 2 * width))
    canvas[..., :height, :width] = batch.pixels
    for order, (x, y) in zip(chances.partners(), _corners(height, width), strict=True):
        canvas[..., y : y + height, x : x + width] = batch.pixels[order].masked_fill_(alone, FILL)
    return replace(_together(batch, chances), pixels=canvas)


def _corners(height: int, width: int) -> tuple[tuple[int, int], ...]:
    """Where on the canvas the second, third and fourth picture begin: x, y."""
    return (width, 0), (0, height), (width, height)


def _together(batch: Labelled, chances: Chances) -> Labelled:
    """The boxes of each picture and of those that a mosaic sets beside it: 4 M, in pixels of the canvas."""
    partners, chosen = chances.partners(), (chances.column("mosaic") > 0)[:, None]
    corners = _corners(*batch.pixels.shape[-2:])
    boxes = [batch.boxes[order] + pair(batch.boxes, *corner) for order, corner in zip(partners, corners, strict=True)]
    return Labelled(
        batch.pixels,
        torch.cat([batch.boxes, *boxes], 1),
        torch.cat([batch.labels, *(batch.labels[order] for order in partners)], 1),
        torch.cat([batch.valid, *(batch.valid[order] & chosen for order in partners)], 1),
    )


def _crowded(batch: Labelled, policy: AugmentPolicy, chances: Chances, room: int) -> Tensor:
    """(B,) bool: would more than ``room`` objects be seen?"""
    height, width = batch.pixels.shape[-2:]
    move = move_of(chances, policy, height, width)
    canvas, whole = (2 * height, 2 * width), _together(batch, chances)
    _, seen = carry(whole.boxes, move, canvas=canvas, size=(height, width), visible=policy.visible)
    return (whole.valid & seen).sum(1) > room


def _compact(batch: Labelled, room: int) -> Labelled:
    """Valid boxes first, and padding up to ``room``: the loss looks at every column."""
    order = batch.valid.long().argsort(dim=1, descending=True, stable=True)[:, :room]
    boxes = batch.boxes.gather(1, order.unsqueeze(-1).expand(-1, -1, 4))
    return Labelled(batch.pixels, boxes, batch.labels.gather(1, order), batch.valid.gather(1, order))


def _recolour(pixels: Tensor, chances: Chances) -> Tensor:
    """Brightness, contrast about the mean, saturation about each pixel's grey, each a factor for a picture."""

    def factor(name: str) -> Tensor:
        return chances.column(name)[:, None, None, None]

    brightness, contrast, saturation = (factor(name) for name in ("brightness", "contrast", "saturation"))
    grey = pixels.mean(1, keepdim=True)
    mean, strength = grey.mean((2, 3), keepdim=True), brightness * contrast
    flat = strength * (1 - saturation) * grey + brightness * (1 - contrast) * mean
    return torch.addcmul(flat, pixels, strength * saturation).clamp_(0, 255)
