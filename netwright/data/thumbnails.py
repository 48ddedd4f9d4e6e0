"""Small upright copies of pictures for a page, as ``data:`` addresses."""

import base64
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageOps

from netwright.errors import UserError

SIDE = 320  # largest side, pixels
_QUALITY = 78
_TURNED = range(5, 9)  # EXIF orientations that swap width and height


@dataclass(frozen=True, kw_only=True)
class Thumbnail:
    """``width`` and ``height`` are the whole picture's, upright; ``address`` is "" where ``trouble`` says why."""

    address: str = ""
    width: int = 0
    height: int = 0
    trouble: str = ""


def make_thumbnail(read: Callable[[], bytes], side: int = SIDE) -> Thumbnail:
    """Read and shrink a picture. What cannot be read or decoded becomes ``trouble``, never an error."""
    try:
        content = read()
    except (OSError, KeyError, UserError) as error:
        return Thumbnail(trouble=f"the picture cannot be read ({_told(error)})")
    try:
        return _shrunk(content, side)
    except Exception as error:  # noqa: BLE001 - decoders fail on hostile files in ways of their own; the page must not
        return Thumbnail(trouble=f"the picture cannot be decoded ({_told(error)})")


def _shrunk(content: bytes, side: int) -> Thumbnail:
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)  # refused by its header, before unpacking
        warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
        with Image.open(io.BytesIO(content)) as picture:
            width, height = picture.size
            if picture.getexif().get(0x0112) in _TURNED:
                width, height = height, width
            picture.draft("RGB", (2 * side, 2 * side))  # JPEG: decode at a fraction of the size
            small = ImageOps.exif_transpose(_eight_bit(picture))
    small.thumbnail((side, side))
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=_QUALITY)
    address = "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
    return Thumbnail(address=address, width=width, height=height)


def _eight_bit(picture: Image.Image) -> Image.Image:
    """RGB; 16-bit grey is scaled, where Pillow's own conversion would clip it to white."""
    if picture.mode.startswith("I;16"):
        return picture.point(lambda value: value / 256, "L").convert("RGB")
    if picture.mode == "I":
        return picture.point(lambda value: value / 256).convert("RGB")
    return picture.convert("RGB")


def _told(error: Exception) -> str:
    """An error's own words without the path that an OSError adds: a page must not depend on where files lie."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
