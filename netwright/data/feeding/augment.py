"""Random changes of a whole batch on its device: mosaic, scale, shift, mirror, quarter turn, colour. Labels stay true.

Chance is drawn beforehand (see chances): nothing here waits for the device, so a step can be captured whole.
Shapes: B pictures, M boxes (padded).
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional

from netwright.data.feeding.chances import Chances
from netwright.types import AugmentPolicy, InputSpec

FILL = InputSpec.pad_value  # grey outside the picture, as in letterboxing
SMALLEST = 3.0  # pixels: a narrower box is dropped
MOSAIC_SCALE = 0.7  # four pictures side by side are shown a little smaller, so that parts of all are seen


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


@dataclass(frozen=True)
class Move:
    """``output = matrix @ (canvas - its centre) + offset``: matrix (B, 2, 2), offset (B, 2), in pixels.

    The matrix holds scales, mirrors and quarter turns alone, so that boxes stay boxes.
    """

    matrix: Tensor
    offset: Tensor


def augment(batch: Labelled, policy: AugmentPolicy, chances: Chances) -> Labelled:
    """The batch as ``chances`` change it. With ``policy.mosaic`` the boxes are cut to the first 2 M valid ones."""
    height, width = batch.pixels.shape[-2:]
    if policy.mosaic:
        batch = _mosaic(batch, chances)
    move = _move(chances, policy, height, width)
    boxes, valid = _carry(batch, move, height, width, policy.visible)
    pixels = _recolour(_warp(batch.pixels, move, height, width), chances)
    moved = Labelled(pixels, boxes, batch.labels, valid)
    return _compact(moved, batch.boxes.shape[1] // 2) if policy.mosaic else moved


def _mosaic(batch: Labelled, chances: Chances) -> Labelled:
    """Each picture with three of the batch around it: a canvas (B, 3, 2H, 2W) with the boxes of all four.

    A picture without mosaic gets three grey neighbours and is centred by its move.
    """
    count, colours, height, width = batch.pixels.shape
    partners, chosen = chances.partners(), chances.column("mosaic") > 0
    alone, offsets = ~chosen[:, None, None, None], ((width, 0), (0, height), (width, height))
    canvas = batch.pixels.new_empty((count, colours, 2 * height, 2 * width))
    canvas[..., :height, :width] = batch.pixels
    for order, (x, y) in zip(partners, offsets, strict=True):
        canvas[..., y : y + height, x : x + width] = batch.pixels[order].masked_fill_(alone, FILL)
    boxes = [batch.boxes[order] + _pair(batch.boxes, *offset) for order, offset in zip(partners, offsets, strict=True)]
    return Labelled(
        canvas,
        torch.cat([batch.boxes, *boxes], 1),
        torch.cat([batch.labels, *(batch.labels[order] for order in partners)], 1),
        torch.cat([batch.valid, *(batch.valid[order] & chosen[:, None] for order in partners)], 1),
    )


def _pair(like: Tensor, x: float, y: float) -> Tensor:
    return torch.stack((like.new_full((), x), like.new_full((), y))).repeat(2)


def _move(chances: Chances, policy: AugmentPolicy, height: int, width: int) -> Move:
    scale, turned = chances.column("scale"), chances.column("turned")
    size = _pair(scale, width, height)[:2]
    shift = torch.stack((chances.column("shift_x"), chances.column("shift_y")), -1) * size
    if policy.mosaic:
        chosen = chances.column("mosaic")
        scale = scale * (1 + (MOSAIC_SCALE - 1) * chosen)
    mirror = torch.stack((chances.column("mirror_x"), chances.column("mirror_y")), -1)
    straight = torch.diag_embed(mirror * (scale * (1 - turned))[:, None])
    right, down = (mirror * (scale * turned)[:, None]).unbind(-1)
    quarter = torch.diag_embed(torch.stack((-right, down), -1)).flip(-1)  # x' = -y, y' = x
    matrix = straight + quarter
    offset = size / 2 + shift
    if policy.mosaic:  # without mosaic the picture's own middle, a quarter of the canvas off, goes to the middle
        offset = offset + ((1 - chosen)[:, None, None] * matrix @ (size / 2)[:, None]).squeeze(-1)
    return Move(matrix, offset)


def _warp(pixels: Tensor, move: Move, height: int, width: int) -> Tensor:
    """The canvas (B, 3, H', W') seen through ``move``: an output of ``height`` x ``width``."""
    canvas = _pair(move.offset, pixels.shape[-1], pixels.shape[-2])[:2]
    size = _pair(move.offset, width, height)[:2]
    inverse = _inverse(move.matrix)
    # in shares of the halves, from -1 to 1: canvas = inverse @ (output - offset)
    theta = inverse * size / canvas[:, None]
    shift = (inverse @ (size / 2 - move.offset).unsqueeze(-1)).squeeze(-1) * 2 / canvas
    theta = torch.cat((theta, shift.unsqueeze(-1)), -1)
    grid = functional.affine_grid(theta, [len(pixels), 3, height, width], align_corners=False)
    # outside is 0 to grid_sample, so grey has to be; a float, since uint8 minus an int stays uint8
    return functional.grid_sample(pixels - float(FILL), grid, align_corners=False).add_(FILL)


def _inverse(matrix: Tensor) -> Tensor:
    """Of scaled mirrors and quarter turns: each row has one entry, so the inverse transposes and inverts it."""
    turned = matrix.transpose(-1, -2)
    return torch.where(turned != 0, 1 / torch.where(turned != 0, turned, 1.0), 0.0)


def _carry(batch: Labelled, move: Move, height: int, width: int, visible: float) -> tuple[Tensor, Tensor]:
    """Boxes moved as the pixels are, clipped; those of which less than the share ``visible`` stays are not valid."""
    centre = _pair(batch.boxes, batch.pixels.shape[-1], batch.pixels.shape[-2])[:2] / 2
    corners = batch.boxes.unflatten(-1, (2, 2)) - centre
    corners = torch.einsum("bij,bmkj->bmki", move.matrix, corners) + move.offset[:, None, None]
    moved = torch.cat((corners.amin(-2), corners.amax(-2)), -1)
    clipped = torch.minimum(moved.clamp(min=0), _pair(moved, width, height))
    sides, whole = clipped[..., 2:] - clipped[..., :2], moved[..., 2:] - moved[..., :2]
    seen = sides.prod(-1) / whole.prod(-1).clamp(min=1e-6)
    return clipped, batch.valid & (sides.amin(-1) >= SMALLEST) & (seen >= visible)


def _compact(batch: Labelled, room: int) -> Labelled:
    """Valid boxes first, then no more than ``room``: what follows would look at much padding."""
    order = batch.valid.long().argsort(dim=1, descending=True, stable=True)[:, :room]
    boxes = batch.boxes.gather(1, order.unsqueeze(-1).expand(-1, -1, 4))
    return Labelled(batch.pixels, boxes, batch.labels.gather(1, order), batch.valid.gather(1, order))


def _recolour(pixels: Tensor, chances: Chances) -> Tensor:
    """Brightness, contrast about the mean, saturation about each pixel's grey: a matrix (3, 3) for each picture."""

    def factor(name: str) -> Tensor:
        return chances.column(name)[:, None, None]

    brightness, contrast, saturation = (factor(name) for name in ("brightness", "contrast", "saturation"))
    mean = pixels.mean((1, 2, 3))[:, None, None]
    identity = torch.eye(3, device=pixels.device)
    matrix = brightness * contrast * (saturation * identity + (1 - saturation) / 3)
    shift = (brightness * (1 - contrast) * mean).expand(-1, 3, 1)
    return torch.baddbmm(shift, matrix, pixels.flatten(2)).view_as(pixels).clamp_(0, 255)
