"""Where pixels and boxes go: zoom, shift, mirror and quarter turn as one matrix for each picture.

Shapes: B pictures, M boxes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from netwright.data.feeding.chances import Chances
from netwright.types import AugmentPolicy, InputSpec

FILL = InputSpec.pad_value  # grey outside the picture, as in letterboxing
SMALLEST = 3.0  # pixels: a narrower box is dropped
MOSAIC_SCALE = 0.7  # four pictures side by side are shown a little smaller, so that parts of all are seen


@dataclass(frozen=True)
class Move:
    """``output = matrix @ (canvas - its centre) + offset``: matrix (B, 2, 2), offset (B, 2), in pixels.

    The matrix holds scales, mirrors and quarter turns alone, so that boxes stay boxes.
    """

    matrix: Tensor
    offset: Tensor


def move_of(chances: Chances, policy: AugmentPolicy, height: int, width: int) -> Move:
    """What ``chances`` ask for, onto an output of ``height`` x ``width``."""
    scale, turned = chances.column("scale"), chances.column("turned")
    size = pair(scale, width, height)[:2]
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


def warp(pixels: Tensor, move: Move, height: int, width: int) -> Tensor:
    """The canvas (B, 3, H', W') seen through ``move``: an output of ``height`` x ``width``."""
    canvas = pair(move.offset, pixels.shape[-1], pixels.shape[-2])[:2]
    size = pair(move.offset, width, height)[:2]
    inverse = _inverse(move.matrix)
    # in shares of the halves, from -1 to 1: canvas = inverse @ (output - offset)
    theta = inverse * size / canvas[:, None]
    shift = (inverse @ (size / 2 - move.offset).unsqueeze(-1)).squeeze(-1) * 2 / canvas
    grid = _grid(theta, shift, height, width)
    # outside is 0 to grid_sample, so grey has to be; a float, since uint8 minus an int stays uint8
    return functional.grid_sample(pixels - float(FILL), grid, align_corners=False).add_(FILL)


def _grid(theta: Tensor, shift: Tensor, height: int, width: int) -> Tensor:
    """(B, height, width, 2): each output pixel's source, as torch's affine_grid gives it by a slower matrix product."""
    x, y = ((torch.arange(side, device=theta.device) * 2 + 1) / side - 1 for side in (width, height))
    across, down = theta[:, :, 0, None, None] * x, theta[:, :, 1, None, None] * y[:, None]
    return (across + (down + shift[..., None, None])).permute(0, 2, 3, 1)


def _inverse(matrix: Tensor) -> Tensor:
    """Of scaled mirrors and quarter turns: each row has one entry, so the inverse transposes and inverts it."""
    turned = matrix.transpose(-1, -2)
    return torch.where(turned != 0, 1 / torch.where(turned != 0, turned, 1.0), 0.0)


def carry(
    boxes: Tensor, move: Move, *, canvas: tuple[int, int], size: tuple[int, int], visible: float
) -> tuple[Tensor, Tensor]:
    """Boxes (B, M, 4) of a ``canvas`` (height, width) moved as its pixels are and clipped to ``size``.

    And which of them (B, M) are seen: large enough, with at least the share ``visible`` of their area.
    """
    centre = pair(boxes, canvas[1], canvas[0])[:2] / 2
    corners = boxes.unflatten(-1, (2, 2)) - centre
    corners = torch.einsum("bij,bmkj->bmki", move.matrix, corners) + move.offset[:, None, None]
    moved = torch.cat((corners.amin(-2), corners.amax(-2)), -1)
    clipped = torch.minimum(moved.clamp(min=0), pair(moved, size[1], size[0]))
    sides, whole = clipped[..., 2:] - clipped[..., :2], moved[..., 2:] - moved[..., :2]
    seen = sides.prod(-1) / whole.prod(-1).clamp(min=1e-6)
    whole_enough = min(visible, 1 - 1e-4)  # float32 may take a hair off a box that nothing cuts
    return clipped, (sides.amin(-1) >= SMALLEST) & (seen >= whole_enough)


def pair(like: Tensor, x: float, y: float) -> Tensor:
    """x, y, x, y (4,) as ``like`` is, where it lies, without a copy from the host."""
    return torch.stack((like.new_full((), x), like.new_full((), y))).repeat(2)
