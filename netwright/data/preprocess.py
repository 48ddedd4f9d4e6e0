"""A picture to the network's input, as its InputSpec says; and boxes there and back."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from netwright.data.colour import make_upright, orientation_of, to_rgb
from netwright.types import InputSpec


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Where a picture of ``width`` x ``height`` pixels lies in the input: ``input = picture * scale + pad``."""

    scale_x: float
    scale_y: float
    pad_x: float
    pad_y: float
    width: int
    height: int

    def to_input(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Boxes (N, 4) xyxy in picture pixels to input pixels."""
        scale, pad = self._vectors()
        moved: NDArray[np.float32] = (boxes * scale + pad).astype(np.float32)
        return moved

    def to_picture(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Boxes (N, 4) xyxy in input pixels to picture pixels, clipped to the picture."""
        scale, pad = self._vectors()
        limits = np.array([self.width, self.height] * 2, dtype=np.float32)
        moved: NDArray[np.float32] = np.clip((boxes - pad) / scale, 0, limits).astype(np.float32)
        return moved

    def _vectors(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        scale = np.array([self.scale_x, self.scale_y] * 2, dtype=np.float32)
        return scale, np.array([self.pad_x, self.pad_y] * 2, dtype=np.float32)


def decode_picture(content: bytes) -> NDArray[np.uint8]:
    """Encoded picture to (H, W, 3) RGB, upright as its EXIF orientation says; see colour for every other mode.

    Raises what Pillow raises for a damaged file: datasets are checked when they are converted.
    """
    with Image.open(io.BytesIO(content)) as picture:
        picture.load()
        return np.asarray(to_rgb(make_upright(picture, orientation_of(picture))))


def fit_geometry(width: int, height: int, spec: InputSpec) -> Geometry:
    """Where ``spec`` puts a picture of ``width`` x ``height`` pixels."""
    scale_x, scale_y = spec.width / width, spec.height / height
    if spec.resize == "letterbox":
        scale = min(scale_x, scale_y)
        # whole pixels are drawn, so the true scale is the one of the rounded size
        scale_x, scale_y = max(round(width * scale), 1) / width, max(round(height * scale), 1) / height
    share = 0.5 if spec.pad_side == "both" else 0.0
    pad_x = int((spec.width - round(width * scale_x)) * share)
    pad_y = int((spec.height - round(height * scale_y)) * share)
    return Geometry(scale_x=scale_x, scale_y=scale_y, pad_x=pad_x, pad_y=pad_y, width=width, height=height)


def fit_picture(picture: NDArray[np.uint8], spec: InputSpec) -> tuple[NDArray[np.uint8], Geometry]:
    """(H, W, 3) RGB to the network's raw pixels (3, spec.height, spec.width) in ``spec.colour`` order."""
    height, width = picture.shape[:2]
    geometry = fit_geometry(width, height, spec)
    size = round(width * geometry.scale_x), round(height * geometry.scale_y)
    drawn = picture
    if size != (width, height):
        drawn = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))
    canvas = np.full((spec.height, spec.width, 3), spec.pad_value, dtype=np.uint8)
    left, top = int(geometry.pad_x), int(geometry.pad_y)
    canvas[top : top + size[1], left : left + size[0]] = drawn
    if spec.colour == "BGR":
        canvas = canvas[..., ::-1]
    return np.ascontiguousarray(canvas.transpose(2, 0, 1)), geometry
