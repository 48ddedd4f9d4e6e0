"""Scenes of real handwritten digits on painted backgrounds: the dataset that needs nothing downloaded.

A scene is a pure function of (seed, split, index): each draws from its own PCG64 stream.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from netwright.data.embedded.background import draw_clutter, paint_ground
from netwright.data.embedded.difficulty import STANDARD, Difficulty
from netwright.data.embedded.glyphs import Glyphs
from netwright.data.embedded.ink import glyph_ink, ink_colour
from netwright.types import SPLITS

MIN_SIZE = 320
_TRIES = 40  # places tried for a digit before it is left out
_QUALITY = 92


@dataclass(frozen=True, kw_only=True)
class Digit:
    """A drawn digit: ``glyph`` indexes the source glyphs, ``box`` is xyxy in pixels around its ink.

    ``contrast`` is the difference of luma (0..1) between the ink and the mean of what lies beneath it. The box is
    whole where another digit covers a part.
    """

    glyph: int
    label: int
    box: tuple[int, int, int, int]
    contrast: float


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A drawn picture: ``pixels`` (size, size, 3) uint8 RGB and its digits."""

    name: str
    pixels: NDArray[np.uint8]
    digits: tuple[Digit, ...]


def draw_scene(
    glyphs: Glyphs, *, seed: int, split: str, index: int, size: int = MIN_SIZE, rule: Difficulty = STANDARD
) -> Scene:
    """Draw scene number ``index`` of ``split``, ``size`` pixels square."""
    rng = np.random.Generator(np.random.PCG64([seed, SPLITS.index(split), index]))
    ground = Image.fromarray(paint_ground(size, rng, rule))
    draw_clutter(ground, rng, rule)
    picture = np.array(ground)
    count = 0 if rng.random() < rule.empty else int(rng.integers(rule.digits[0], rule.digits[1] + 1))
    digits = _draw_digits(picture, glyphs, glyphs.indices[split], count, rng, rule)
    return Scene(name=f"{split}-{index:05d}", pixels=_finish(picture, rng, rule), digits=tuple(digits))


def encode_scene(scene: Scene) -> bytes:
    """JPEG without chroma subsampling, some 50 KB: a PNG of the same noise takes five times that."""
    stream = io.BytesIO()
    Image.fromarray(scene.pixels).save(stream, "JPEG", quality=_QUALITY, subsampling=0)
    return stream.getvalue()


def _draw_digits(
    picture: NDArray[np.uint8],
    glyphs: Glyphs,
    choices: NDArray[np.int64],
    count: int,
    rng: np.random.Generator,
    rule: Difficulty,
) -> list[Digit]:
    """Draw up to ``count`` digits into ``picture``, the large ones first, so that no small one is hidden."""
    low, high = rule.side
    sides = np.sort(low + np.round((high - low) * rng.beta(*rule.side_shape, count)).astype(int))[::-1]
    digits: list[Digit] = []
    for side in sides.tolist():
        glyph = int(rng.choice(choices))
        opacity = glyph_ink(glyphs.images[glyph], side, rng, rule)
        box = _place(opacity.shape, len(picture), [digit.box for digit in digits], rng, rule)
        if box is not None:
            contrast = _lay_ink(picture[box[1] : box[3], box[0] : box[2]], opacity, rng, rule)
            digits.append(Digit(glyph=glyph, label=int(glyphs.labels[glyph]), box=box, contrast=contrast))
    return digits


def _place(
    shape: tuple[int, ...],
    size: int,
    taken: Sequence[tuple[int, int, int, int]],
    rng: np.random.Generator,
    rule: Difficulty,
) -> tuple[int, int, int, int] | None:
    """Find a box of ``shape`` (height, width) that overlaps none of ``taken`` too much."""
    height, width = shape
    others = np.array(taken, dtype=np.float64).reshape(-1, 4)
    for _ in range(_TRIES):
        x, y = int(rng.integers(0, size - width + 1)), int(rng.integers(0, size - height + 1))
        box = (x, y, x + width, y + height)
        shared = np.prod(np.clip(np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2]), 0, None), 1)
        areas = np.prod(others[:, 2:] - others[:, :2], axis=1)
        ious = shared / (areas + height * width - shared)
        covers = shared / np.minimum(areas, height * width)
        if (ious <= rule.max_iou).all() and (covers <= rule.max_cover).all():
            return box
    return None


def _lay_ink(
    patch: NDArray[np.uint8], opacity: NDArray[np.float32], rng: np.random.Generator, rule: Difficulty
) -> float:
    """Blend ink into ``patch`` (h, w, 3) in place and return its contrast."""
    weights, colours = opacity[:, :, None], patch / np.float32(255)
    ground = ((colours * weights).sum(axis=(0, 1)) / weights.sum()).astype(np.float32)
    colour, contrast = ink_colour(ground, rng, rule)
    colours += (colour - colours) * weights
    patch[:] = np.rint(np.clip(colours, 0, 1) * 255)
    return contrast


def _finish(picture: NDArray[np.uint8], rng: np.random.Generator, rule: Difficulty) -> NDArray[np.uint8]:
    """Blur and noise over the whole scene, as of a camera."""
    blurred = Image.fromarray(picture).filter(ImageFilter.BoxBlur(float(rng.uniform(*rule.blur))))
    grain = rng.standard_normal(picture.shape[:2], dtype=np.float32) * np.float32(255 * rng.uniform(*rule.noise))
    values = np.asarray(blurred) + np.rint(grain).astype(np.int16)[:, :, None]
    pixels: NDArray[np.uint8] = np.clip(values, 0, 255).astype(np.uint8)
    return pixels
