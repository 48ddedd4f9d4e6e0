"""Pixels go where the move says, compared with each output pixel's source computed one by one."""

import math

import numpy as np
import pytest
import torch

from netwright.data.feeding.moves import FILL, Move, warp


def _sampled(picture: np.ndarray, x: float, y: float) -> np.ndarray:
    """Bilinear value (3,) of a picture (3, H, W) at canvas coordinates, whose pixels have their centres at .5."""
    height, width = picture.shape[1:]
    left, top = math.floor(x - 0.5), math.floor(y - 0.5)
    total = np.zeros(3)
    for row, column in ((top, left), (top, left + 1), (top + 1, left), (top + 1, left + 1)):
        share = (1 - abs(x - 0.5 - column)) * (1 - abs(y - 0.5 - row))
        inside = 0 <= row < height and 0 <= column < width
        total += share * (picture[:, row, column] if inside else FILL)
    return total


def _moved_one_by_one(picture: np.ndarray, move: Move, height: int, width: int) -> np.ndarray:
    inverse, offset = np.linalg.inv(move.matrix[0].double().numpy()), move.offset[0].double().numpy()
    centre = np.array([picture.shape[2], picture.shape[1]]) / 2
    out = np.empty((3, height, width))
    for row in range(height):
        for column in range(width):
            source = inverse @ (np.array([column + 0.5, row + 0.5]) - offset) + centre
            out[:, row, column] = _sampled(picture, *source)
    return out


@pytest.mark.parametrize(
    "matrix",
    [[[1.3, 0.0], [0.0, -1.3]], [[-0.6, 0.0], [0.0, 0.6]], [[0.0, -0.8], [0.8, 0.0]], [[0.0, 1.1], [1.1, 0.0]]],
    ids=["zoomed and mirrored", "shrunk and mirrored", "turned", "turned and mirrored"],
)
def test_every_pixel_comes_from_where_the_move_took_it(matrix: list[list[float]]) -> None:
    pixels = torch.randint(0, 256, (1, 3, 12, 20), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    move = Move(torch.tensor([matrix]), torch.tensor([[7.3, 4.6]]))
    out = warp(pixels, move, 9, 14)
    wanted = _moved_one_by_one(pixels[0].double().numpy(), move, 9, 14)
    np.testing.assert_allclose(out[0].numpy(), wanted, atol=2e-3)
