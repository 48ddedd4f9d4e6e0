"""Boxes on a grid: anchor points of the feature maps, and distances to boxes and back.

Shapes: B pictures, A anchor points over all levels, C classes. Boxes are xyxy in input pixels.
"""

import torch
from torch import Tensor


def anchor_points(height: int, width: int, strides: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Centres (A, 2) as (x, y) in input pixels and the stride (A, 1) of every grid cell, level by level."""
    points, sizes = [], []
    for stride in strides:
        y, x = torch.meshgrid(
            torch.arange(height // stride, dtype=torch.float32),
            torch.arange(width // stride, dtype=torch.float32),
            indexing="ij",
        )
        level = (torch.stack((x, y), dim=-1).reshape(-1, 2) + 0.5) * stride
        points.append(level)
        sizes.append(torch.full((len(level), 1), float(stride)))
    return torch.cat(points), torch.cat(sizes)


def boxes_from_distances(distances: Tensor, points: Tensor, strides: Tensor) -> Tensor:
    """(B, A, 4) boxes from distances (B, A, 4) to left, top, right and bottom in units of the stride."""
    reach = distances * strides
    return torch.cat((points - reach[..., :2], points + reach[..., 2:]), dim=-1)
