"""Any picture that Pillow opens to 8-bit RGB, upright. Training, evaluation and the checks all see these pixels.

- 16-bit grey: the whole range 0..65535 is scaled to 0..255 (65535 -> 255, 257 -> 1); 16-bit RGB keeps its high byte.
- Alpha, or a transparent colour: the picture lies on white, as label tools and browsers show it on a light page.
- CMYK JPEG: inks are taken as inverted, Adobe's way, as browsers and OpenCV do; CMYK TIFF as written. No ICC profile is
  applied to any picture.
- Palette, 1-bit and grey: each pixel's own colour. Several frames: the first.
- 32-bit and floating-point pixels have no agreed range and are refused.
"""

import numpy as np
from PIL import ExifTags, Image

_TURNS = {  # EXIF orientation to what makes the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ROWS = 256  # scaled at once, so that a large picture does not need its size several times over
SWAPPING = (5, 6, 7, 8)  # orientations that exchange width and height


def orientation_of(picture: Image.Image) -> int:
    """EXIF orientation 1..8. Pillow turns a TIFF itself when it is loaded: afterwards its orientation is 1."""
    orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
    return orientation if orientation in _TURNS else 1


def lies_on_its_side(picture: Image.Image) -> bool:
    """Whether ``picture.size`` of a picture that is not loaded yet still has to be swapped.

    Pillow swaps that of a TIFF on opening, though the orientation stays until it is loaded.
    """
    return picture.format != "TIFF" and orientation_of(picture) in SWAPPING


def make_upright(picture: Image.Image, orientation: int) -> Image.Image:
    """``picture`` turned as its ``orientation`` says."""
    return picture.transpose(_TURNS[orientation]) if orientation in _TURNS else picture


def to_rgb(picture: Image.Image) -> Image.Image:
    """``picture`` as 8-bit RGB. Raises ValueError for pixels without an agreed range."""
    if picture.mode == "RGB" and "transparency" not in picture.info:
        return picture
    if picture.mode.startswith(("I", "F")):
        return _from_16_bit(picture).convert("RGB")
    if picture.has_transparency_data:
        seen = picture if picture.mode == "RGBA" else picture.convert("RGBA")
        on_white = Image.new("RGB", seen.size, "white")
        on_white.paste(seen, mask=seen)
        return on_white
    return picture.convert("RGB")


def unusual_mode(picture: Image.Image) -> str:
    """What is unusual about an opened picture's pixels, in a word or two; "" for 8-bit RGB and grey."""
    if picture.mode.startswith("I") or _stores_16_bit(picture):
        return "16-bit"
    if picture.has_transparency_data:
        return "alpha"
    return {"RGB": "", "L": "", "1": "1-bit", "P": "palette"}.get(picture.mode, picture.mode)


def _stores_16_bit(picture: Image.Image) -> bool:
    """Pillow narrows 16-bit colours while it reads them: only the way of reading tells."""
    return any(";16" in str(tile.args) for tile in getattr(picture, "tile", ()))


def _from_16_bit(picture: Image.Image) -> Image.Image:
    if not (picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PNG")):
        raise ValueError(f"its {picture.mode} pixels (32 bits, signed or floating point) have no agreed range")
    values = np.asarray(picture)
    narrowed = np.empty(values.shape, dtype=np.uint8)
    for start in range(0, len(values), _ROWS):
        rows = slice(start, start + _ROWS)
        narrowed[rows] = (values[rows].astype(np.uint32) + 128) // 257
    return Image.fromarray(narrowed)
