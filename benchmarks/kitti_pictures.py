"""A KITTI dataset of generated pictures: texture that compresses like photographs, objects as flat rectangles."""

import os
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

HALF = (620, 188)  # half of KITTI's width and height, which are 1242 and 375
CLASSES = ("Car", "Pedestrian", "Cyclist", "Van", "Truck")
SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}
_CANVASES = 12
_OCTAVES = ((8, 1.0), (16, 0.7), (32, 0.5), (64, 0.35), (128, 0.2), (256, 0.14), (620, 0.12))  # 1/f, as in photographs


def write_kitti(folder: Path, count: int, extension: str = "jpg", sides: tuple[int, int] = HALF) -> None:
    """Write ``count`` pictures with labels below ``folder``/{train,val,test}; the same for the same arguments.

    ``sides``: width and height in pixels, at least HALF.
    """
    for split in SHARES:
        for part in ("image_2", "label_2"):
            (folder / split / part).mkdir(parents=True)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        work = partial(write_picture, folder, count=count, extension=extension, sides=sides)
        list(pool.map(work, range(count), chunksize=64))


def write_picture(
    folder: Path, number: int, *, count: int, extension: str, sides: tuple[int, int] = HALF, version: int = 0
) -> None:
    """Write picture ``number`` and its label file."""
    rng = np.random.default_rng((number, version))
    picture = Image.fromarray(_background(rng, sides))
    lines = [_object(rng, ImageDraw.Draw(picture), sides) for _ in range(int(rng.integers(3, 9)))]
    place = number / count
    split = "train" if place < SHARES["train"] else "val" if place < 1 - SHARES["test"] else "test"
    name = f"{number:06d}"
    picture.save(folder / split / "image_2" / f"{name}.{extension}", quality=92, compress_level=6)
    (folder / split / "label_2" / f"{name}.txt").write_text("".join(lines))


def _object(rng: np.random.Generator, pen: ImageDraw.ImageDraw, sides: tuple[int, int]) -> str:
    """Draw an object; return its label's line."""
    width, height = rng.uniform(8, 120), rng.uniform(8, 70)
    left, top = rng.uniform(0, sides[0] - width), rng.uniform(0, sides[1] - height)
    box = (left, top, left + width, top + height)
    pen.rectangle(box, fill=tuple(rng.integers(0, 255, 3).tolist()))
    corners = " ".join(f"{value:.2f}" for value in box)
    return f"{rng.choice(CLASSES)} 0.00 {rng.integers(0, 3)} -10 {corners} -1 -1 -1 -1000 -1000 -1000 -10\n"


def _background(rng: np.random.Generator, sides: tuple[int, int]) -> NDArray[np.uint8]:
    width, height = sides
    canvas = _canvas(int(rng.integers(_CANVASES)), sides)
    top = int(rng.integers(canvas.shape[0] - height))
    left = int(rng.integers(canvas.shape[1] - width))
    part = canvas[top : top + height, left : left + width, rng.permutation(3)]
    return part[:: int(rng.choice((-1, 1))), :: int(rng.choice((-1, 1)))].copy()


@cache
def _canvas(seed: int, sides: tuple[int, int]) -> NDArray[np.uint8]:
    rng = np.random.default_rng((seed, 99))
    width, height = 3 * sides[0], 3 * sides[1]
    canvas = np.zeros((height, width, 3), dtype=np.float32)
    for cells, strength in _OCTAVES:
        grey = rng.normal(size=(cells, 3 * cells, 1)) * 0.8 + rng.normal(size=(cells, 3 * cells, 3)) * 0.25
        canvas += strength * np.stack(
            [
                np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BICUBIC))
                for plane in np.moveaxis(grey.astype(np.float32), -1, 0)
            ],
            -1,
        )
    return np.clip(120 + 45 * canvas, 0, 255).astype(np.uint8)
