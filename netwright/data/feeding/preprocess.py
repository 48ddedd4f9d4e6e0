"""A picture to the network's input, as its InputSpec says; and boxes there and back."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from netwright.data.feeding.colour import SWAPPING, make_upright, orientation_of, to_rgb
from netwright.data.feeding.resize import reduce_decoding, sized_pixels
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

    @property
    def drawn_size(self) -> tuple[int, int]:
        """Width and height of the picture in the input, in whole pixels."""
        return round(self.width * self.scale_x), round(self.height * self.scale_y)

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
    """Encoded picture to (H, W, 3) of 8-bit RGB, upright as its EXIF orientation says; see colour for other modes.

    Raises what Pillow raises for a damaged file: datasets are checked when they are converted.
    """
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(_upright_rgb(picture))


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
    geometry = fit_geometry(picture.shape[1], picture.shape[0], spec)
    _place(Image.fromarray(picture), geometry, spec, pixels)
    return pixels, geometry


def draw_picture(content: bytes, spec: InputSpec, pixels: NDArray[np.uint8]) -> Geometry:
    """Fill ``pixels`` (3, spec.height, spec.width), in ``spec.colour`` order, with an encoded picture and padding.

    A JPEG that is scaled down far is decoded in a part of its size (see resize), all else as ``decode_picture`` does.
    """
    with Image.open(io.BytesIO(content)) as picture:
        factor = _reduce(picture, spec)
        upright = _upright_rgb(picture)
    geometry = fit_geometry(upright.width * factor, upright.height * factor, spec)
    _place(upright, geometry, spec, pixels)
    return geometry


def _reduce(picture: Image.Image, spec: InputSpec) -> int:
    """Have ``picture`` decoded in the smallest size that serves; return its share of the whole: 1, 2, 4 or 8."""
    turned = orientation_of(picture) in SWAPPING
    width, height = fit_geometry(*(picture.size[::-1] if turned else picture.size), spec).drawn_size
    return reduce_decoding(picture, (height, width) if turned else (width, height))


def _upright_rgb(picture: Image.Image) -> Image.Image:
    picture.load()
    return to_rgb(make_upright(picture, orientation_of(picture)))


def _place(picture: Image.Image, geometry: Geometry, spec: InputSpec, pixels: NDArray[np.uint8]) -> None:
    """Fill ``pixels`` with an RGB picture where ``geometry`` says, whatever its own size, and padding around it."""
    width, height = geometry.drawn_size
    left, top = int(geometry.pad_x), int(geometry.pad_y)
    right, bottom = left + width, top + height
    pixels[:, :top] = pixels[:, bottom:] = spec.pad_value
    pixels[:, top:bottom, :left] = pixels[:, top:bottom, right:] = spec.pad_value
    planes = sized_pixels(picture, (width, height)).transpose(2, 0, 1)
    pixels[:, top:bottom, left:right] = planes[::-1] if spec.colour == "BGR" else planes
