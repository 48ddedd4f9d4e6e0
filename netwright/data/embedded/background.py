"""What lies beneath the digits: coloured gradients, patches, waves, and clutter that is no digit."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from netwright.data.embedded.difficulty import Difficulty

# Straight strokes within a unit square; letters that no handwritten digit looks like.
_LETTERS: tuple[tuple[tuple[float, float], ...], ...] = (
    ((0, 1), (0.5, 0), (1, 1), (0.75, 0.5), (0.25, 0.5)),  # A
    ((0, 0), (0, 1), (0, 0.5), (1, 0.5), (1, 0), (1, 1)),  # H
    ((0, 0), (0, 1), (0, 0.5), (1, 0), (0, 0.5), (1, 1)),  # K
    ((0, 1), (0, 0), (0.5, 0.6), (1, 0), (1, 1)),  # M
    ((0, 0), (0.25, 1), (0.5, 0.3), (0.75, 1), (1, 0)),  # W
    ((0, 0), (1, 1), (0.5, 0.5), (1, 0), (0, 1)),  # X
    ((1, 0), (0, 0), (0, 0.5), (0.8, 0.5), (0, 0.5), (0, 1), (1, 1)),  # E
)


def paint_ground(size: int, rng: np.random.Generator, rule: Difficulty) -> NDArray[np.uint8]:
    """Return a picture (size, size, 3): a gradient with patches and waves over it."""
    base = rng.uniform(0.1, 0.9) + rng.uniform(-0.12, 0.12, 3)
    corners = base + rng.uniform(-0.18, 0.18, (2, 2, 3))
    cells = int(rng.integers(4, 17))
    patches = 0.5 + rng.uniform(-rule.texture, rule.texture, (cells, cells, 3))
    picture = _enlarge(corners, size) + (_enlarge(patches, size) - 128)
    picture += _waves(size, rng, rule)[:, :, None]
    ground: NDArray[np.uint8] = np.clip(picture, 5, 250).astype(np.uint8)
    return ground


def draw_clutter(picture: Image.Image, rng: np.random.Generator, rule: Difficulty) -> None:
    """Draw lines, arcs, filled ellipses, blobs and letters onto ``picture``."""
    pen = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(rule.clutter[0], rule.clutter[1] + 1))):
        piece = _PIECES[int(rng.integers(len(_PIECES)))]
        x, y = (int(value) for value in rng.integers(0, picture.width, 2))
        shift = rng.uniform(-rule.clutter_contrast, rule.clutter_contrast) + rng.uniform(-0.1, 0.1, 3)
        ground = picture.getpixel((x, y))
        assert isinstance(ground, tuple)
        red, green, blue = np.clip(np.array(ground) + 255 * shift, 0, 255).astype(int).tolist()
        piece(pen, rng, (x, y), (red, green, blue))


Colour = tuple[int, int, int]
Point = tuple[int, int]


def _line(pen: ImageDraw.ImageDraw, rng: np.random.Generator, at: Point, colour: Colour) -> None:
    """Longer than the largest digit, or it could pass for a 1."""
    angle, length = rng.uniform(0, 2 * math.pi), rng.uniform(130, 320)
    end = (at[0] + length * math.cos(angle), at[1] + length * math.sin(angle))
    pen.line((*at, *end), fill=colour, width=int(rng.integers(1, 6)))


def _arc(pen: ImageDraw.ImageDraw, rng: np.random.Generator, at: Point, colour: Colour) -> None:
    """Less than half a circle, of a radius that no digit has."""
    radius, start = rng.uniform(60, 160), rng.uniform(0, 360)
    box = (at[0] - radius, at[1] - radius, at[0] + radius, at[1] + radius)
    pen.arc(box, start, start + rng.uniform(40, 150), fill=colour, width=int(rng.integers(1, 6)))


def _ellipse(pen: ImageDraw.ImageDraw, rng: np.random.Generator, at: Point, colour: Colour) -> None:
    """Filled: an outline would be a 0."""
    half_width, half_height = rng.uniform(6, 45, 2)
    pen.ellipse((at[0] - half_width, at[1] - half_height, at[0] + half_width, at[1] + half_height), fill=colour)


def _blob(pen: ImageDraw.ImageDraw, rng: np.random.Generator, at: Point, colour: Colour) -> None:
    """A filled polygon of five to nine corners around a centre."""
    angles = np.sort(rng.uniform(0, 2 * math.pi, int(rng.integers(5, 10))))
    radii = rng.uniform(8, 40, len(angles))
    corners = np.stack([at[0] + radii * np.cos(angles), at[1] + radii * np.sin(angles)], axis=1)
    pen.polygon([(float(x), float(y)) for x, y in corners], fill=colour)


def _letter(pen: ImageDraw.ImageDraw, rng: np.random.Generator, at: Point, colour: Colour) -> None:
    """A letter of a digit's size and stroke, slightly turned."""
    strokes = np.array(_LETTERS[int(rng.integers(len(_LETTERS)))]) - 0.5
    side, angle = rng.uniform(20, 80), rng.uniform(-0.3, 0.3)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    points = np.asarray(at) + strokes * [side * 0.8, side] @ turn
    pen.line([(float(x), float(y)) for x, y in points], fill=colour, width=max(2, round(side / 10)), joint="curve")


_PIECES: tuple[Callable[[ImageDraw.ImageDraw, np.random.Generator, Point, Colour], None], ...] = (
    _line,
    _arc,
    _ellipse,
    _blob,
    _letter,
)


def _enlarge(grid: NDArray[np.float64], size: int) -> NDArray[np.int16]:
    """Resize a grid (h, w, 3) of values 0..1 smoothly to (size, size, 3), 0..255."""
    coarse = Image.fromarray(np.rint(np.clip(grid, 0, 1) * 255).astype(np.uint8))
    return np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC)).astype(np.int16)


def _waves(size: int, rng: np.random.Generator, rule: Difficulty) -> NDArray[np.int16]:
    """A plane sine wave (size, size) about 0, like cloth or ruled paper, in steps of 1/255."""
    angle, period = rng.uniform(0, math.pi), rng.uniform(4, 40)
    places = np.arange(size, dtype=np.float32) * np.float32(2 * math.pi / period)
    phase = places[None, :] * np.float32(math.cos(angle)) + places[:, None] * np.float32(math.sin(angle))
    return np.rint(np.sin(phase) * np.float32(255 * rng.uniform(0, rule.texture))).astype(np.int16)
