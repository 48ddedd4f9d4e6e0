"""From an 8x8 glyph to ink on a picture: its shape, its box and its colour."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from netwright.data.embedded.difficulty import Difficulty

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
VISIBLE = 0.25  # opacity from which a pixel counts as ink
_CANVAS = 108  # a glyph in its margins of two cells, nine pixels a cell
_MARGIN = 2


def glyph_ink(glyph: NDArray[np.float32], side: int, rng: np.random.Generator, rule: Difficulty) -> NDArray[np.float32]:
    """Turn, shear and enlarge ``glyph`` (8, 8); return its opacity (h, w) 0..1, cropped so that h or w is ``side``."""
    padded = Image.fromarray(np.pad(glyph, _MARGIN))
    canvas = padded.transform(
        (_CANVAS, _CANVAS), Image.Transform.AFFINE, _affine(rng, rule, padded.width), Image.Resampling.BICUBIC
    )
    opacity = tight(_sharpen(np.asarray(canvas)))
    factor = side / max(opacity.shape)
    width, height = (max(1, round(length * factor)) for length in reversed(opacity.shape))
    resized = Image.fromarray(opacity).resize((width, height), Image.Resampling.BICUBIC)
    ink: NDArray[np.float32] = np.clip(np.asarray(resized), 0, 1)
    return ink


def tight(opacity: NDArray[np.float32]) -> NDArray[np.float32]:
    """Crop ``opacity`` (H, W) to the rows and columns that hold visible ink."""
    visible = opacity >= VISIBLE
    rows, columns = np.flatnonzero(visible.any(axis=1)), np.flatnonzero(visible.any(axis=0))
    return opacity[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def ink_colour(
    ground: NDArray[np.float32], rng: np.random.Generator, rule: Difficulty
) -> tuple[NDArray[np.float32], float]:
    """Choose an ink (3,) 0..1 for the mean colour ``ground`` (3,) beneath it; return it with the luma contrast."""
    luma = float(ground @ LUMA)
    low, high = rule.contrast
    wanted = low + (high - low) * float(rng.beta(*rule.contrast_shape))
    contrast = min(wanted, max(luma, 1 - luma))
    lighter = luma + contrast <= 1 and (luma < contrast or rng.random() < 0.5)
    target = luma + contrast if lighter else luma - contrast
    chroma = rng.standard_normal(3).astype(np.float32)
    chroma -= chroma @ LUMA
    room = np.where(chroma > 0, 1 - target, target) / np.maximum(np.abs(chroma), 1e-6)
    colour = target + chroma * float(room.min()) * rule.chroma * float(rng.random())
    return colour.astype(np.float32), contrast


def _affine(rng: np.random.Generator, rule: Difficulty, cells: int) -> tuple[float, float, float, float, float, float]:
    """Coefficients that take a canvas pixel to a place among the glyph's cells."""
    angle, shear = rng.uniform(-rule.rotation, rule.rotation), rng.uniform(-rule.shear, rule.shear)
    scale = cells / _CANVAS
    matrix = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    matrix = matrix @ np.array([[1.0, shear], [0.0, 1.0]])
    shift = cells / 2 - matrix @ np.full(2, _CANVAS / 2)
    (a, b), (d, e) = matrix.tolist()
    return a, b, float(shift[0]), d, e, float(shift[1])


def _sharpen(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Smoothstep: bicubic enlargement alone leaves a fog instead of a pen's stroke."""
    ramp = np.clip((values - 0.25) / 0.35, 0, 1)
    smooth: NDArray[np.float32] = ramp * ramp * (3 - 2 * ramp)
    return smooth
