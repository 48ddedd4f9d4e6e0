"""Random changes of a whole batch on its device: mosaic, scale, shift, flip, colour. Labels stay true.

Shapes: B pictures, M boxes (padded).
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from netwright.types import AugmentPolicy, InputSpec

FILL = float(InputSpec.pad_value)  # grey outside the picture, as in letterboxing
VISIBLE = 0.35  # a box of which less than this share stays in the picture is dropped
SMALLEST = 3.0  # pixels: a narrower box is dropped
MOSAIC_SCALE = 0.7  # four pictures side by side are shown a little smaller, so that parts of all are seen


@dataclass(frozen=True)
class Move:
    """One affine move for each picture: output = centre + shift * size + (flip, 1) * scale * (canvas - its centre).

    ``scale`` (B,), ``shift`` (B, 2) as x and y in shares of the output's size, ``flip`` (B,) of +1 or -1.
    """

    scale: Tensor
    shift: Tensor
    flip: Tensor
    height: int
    width: int


def augment(
    pixels: Tensor, boxes: Tensor, valid: Tensor, labels: Tensor, policy: AugmentPolicy, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Changed pixels (B, 3, H, W) float 0..255, boxes (B, M, 4) xyxy in input pixels, valid (B, M), labels (B, M).

    ``generator`` lives on the CPU, so that every device draws the same numbers.
    """
    height, width = pixels.shape[-2:]
    shrink = 1.0
    if policy.mosaic and _uniform(generator, 1).item() < policy.mosaic:
        pixels, boxes, valid, labels = _mosaic(pixels, boxes, valid, labels, generator)
        shrink = MOSAIC_SCALE
    move = _draw(len(pixels), height, width, shrink, policy, generator, pixels.device)
    boxes, valid = _carry(boxes, valid, move, (pixels.shape[-2], pixels.shape[-1]))
    return _recolour(_warp(pixels, move), policy, generator), boxes, valid, labels


def _uniform(generator: torch.Generator, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
    return torch.rand(shape, generator=generator) * (high - low) + low


def _draw(
    count: int,
    height: int,
    width: int,
    shrink: float,
    policy: AugmentPolicy,
    generator: torch.Generator,
    device: torch.device,
) -> Move:
    scale = _uniform(generator, count, low=policy.scale[0], high=policy.scale[1]) * shrink
    shift = _uniform(generator, count, 2, low=-policy.translate, high=policy.translate)
    flip = torch.where(_uniform(generator, count) < policy.flip, -1.0, 1.0)
    return Move(scale.to(device), shift.to(device), flip.to(device), height, width)


def _mosaic(
    pixels: Tensor, boxes: Tensor, valid: Tensor, labels: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Four pictures of the batch side by side: a canvas (B, 3, 2H, 2W) with the boxes of all four."""
    height, width = pixels.shape[-2:]
    orders = [torch.arange(len(pixels))] + [torch.randperm(len(pixels), generator=generator) for _ in range(3)]
    rows = [torch.cat((pixels[orders[first]], pixels[orders[first + 1]]), -1) for first in (0, 2)]
    offsets = ((0, 0), (width, 0), (0, height), (width, height))
    moved = [boxes[order] + boxes.new_tensor(offset * 2) for order, offset in zip(orders, offsets, strict=True)]
    return (
        torch.cat(rows, -2),
        torch.cat(moved, 1),
        torch.cat([valid[order] for order in orders], 1),
        torch.cat([labels[order] for order in orders], 1),
    )


def _warp(pixels: Tensor, move: Move) -> Tensor:
    """The canvas (B, 3, H', W') seen through ``move``: an output of ``move.height`` x ``move.width``."""
    tall, wide = pixels.shape[-2] / move.height, pixels.shape[-1] / move.width
    theta = pixels.new_zeros(len(pixels), 2, 3)
    theta[:, 0, 0] = move.flip / (move.scale * wide)
    theta[:, 1, 1] = 1 / (move.scale * tall)
    theta[:, 0, 2] = -2 * move.shift[:, 0] * theta[:, 0, 0]
    theta[:, 1, 2] = -2 * move.shift[:, 1] * theta[:, 1, 1]
    grid = functional.affine_grid(theta, [len(pixels), 3, move.height, move.width], align_corners=False)
    return functional.grid_sample(pixels - FILL, grid, align_corners=False) + FILL


def _carry(boxes: Tensor, valid: Tensor, move: Move, canvas: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Boxes moved as the pixels are, clipped; those hardly visible are no longer valid."""
    size = boxes.new_tensor([move.width, move.height])
    centre = boxes.new_tensor([canvas[1], canvas[0]]) / 2
    gain = move.scale[:, None, None] * torch.stack((move.flip, torch.ones_like(move.flip)), -1)[:, None]
    corners = (boxes.unflatten(-1, (2, 2)) - centre) * gain[:, None] + (size / 2 + move.shift * size)[:, None, None]
    moved = torch.cat((corners.amin(-2), corners.amax(-2)), -1)
    clipped = torch.minimum(moved.clamp(min=0), size.repeat(2))
    sides, whole = clipped[..., 2:] - clipped[..., :2], moved[..., 2:] - moved[..., :2]
    seen = sides.prod(-1) / whole.prod(-1).clamp(min=1e-6)
    return clipped, valid & (sides.amin(-1) >= SMALLEST) & (seen >= VISIBLE)


def _recolour(pixels: Tensor, policy: AugmentPolicy, generator: torch.Generator) -> Tensor:
    """Brightness, contrast and saturation, each multiplied by 1 plus or minus its setting."""

    def factor(strength: float) -> Tensor:
        drawn = _uniform(generator, len(pixels), 1, 1, 1, low=1 - strength, high=1 + strength)
        return drawn.to(pixels.device)

    pixels = pixels * factor(policy.brightness)
    mean = pixels.mean((1, 2, 3), keepdim=True)
    pixels = (pixels - mean) * factor(policy.contrast) + mean
    grey = pixels.mean(1, keepdim=True)
    return ((pixels - grey) * factor(policy.saturation) + grey).clamp(0, 255)
