"""A picture to the network's input, as its InputSpec says; and boxes there and back."""

import io
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from netwright.data.feeding.colour import make_upright, orientation_of, to_rgb
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


def open_picture(content: bytes) -> Image.Image:
    """Encoded picture to 8-bit RGB, upright as its EXIF orientation says; see colour for every other mode.

    Raises what Pillow raises for a damaged file: datasets are checked when they are converted.
    """
    with Image.open(io.BytesIO(content)) as picture:
        picture.load()
        return to_rgb(make_upright(picture, orientation_of(picture)))


def decode_picture(content: bytes) -> NDArray[np.uint8]:
    """Encoded picture to (H, W, 3) of what ``open_picture`` gives."""
    return np.asarray(open_picture(content))


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
    pixels = np.empty((3, spec.height, spec.width), dtype=np.uint8)
    return pixels, draw_picture(Image.fromarray(picture), spec, pixels)


def draw_picture(picture: Image.Image, spec: InputSpec, pixels: NDArray[np.uint8]) -> Geometry:
    """Fill ``pixels`` (3, spec.height, spec.width), in ``spec.colour`` order, with an RGB picture and padding."""
    geometry = fit_geometry(*picture.size, spec)
    width, height = round(picture.width * geometry.scale_x), round(picture.height * geometry.scale_y)
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    left, top = int(geometry.pad_x), int(geometry.pad_y)
    right, bottom = left + width, top + height
    pixels[:, :top] = pixels[:, bottom:] = spec.pad_value
    pixels[:, top:bottom, :left] = pixels[:, top:bottom, right:] = spec.pad_value
    planes = _pixels_of(picture).transpose(2, 0, 1)
    pixels[:, top:bottom, left:right] = planes[::-1] if spec.colour == "BGR" else planes
    return geometry


def _pixels_of(picture: Image.Image) -> NDArray[np.uint8]:
    """(H, W, 3) of an RGB picture: Pillow's own memory, through Arrow, where it lies in one piece; else a copy."""
    try:
        memory = pa.array(picture)
    except ValueError:  # a picture of many megabytes is kept in several pieces
        return np.asarray(picture)
    values: NDArray[np.uint8] = memory.values.to_numpy(zero_copy_only=True)
    return values.reshape(picture.height, picture.width, 4)[..., :3]  # Pillow keeps a fourth byte unused
