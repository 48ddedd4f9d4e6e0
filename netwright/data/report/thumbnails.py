"""Small upright copies of pictures for a page, as ``data:`` addresses."""

import base64
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from netwright.data.checks.picture_rules import FORMATS
from netwright.data.feeding.colour import SWAPPING, make_upright, orientation_of, to_rgb
from netwright.errors import UserError

SIDE = 320  # largest side, pixels
_QUALITY = 78


@dataclass(frozen=True, kw_only=True)
class Thumbnail:
    """``width`` and ``height`` are the whole picture's, upright; ``address`` is "" where ``trouble`` says why."""

    address: str = ""
    width: int = 0
    height: int = 0
    trouble: str = ""


BROKEN = Thumbnail(trouble="the picture cannot be decoded")


def make_thumbnail(read: Callable[[], bytes], side: int = SIDE) -> Thumbnail:
    """Read and shrink a picture. What cannot be read or decoded becomes ``trouble``, never an error.

    The trouble is told in words of our own: a decoder's may hold paths and addresses in memory, other in every run.
    """
    try:
        content = read()
    except (FileNotFoundError, KeyError):
        return Thumbnail(trouble="there is no such picture")
    except (OSError, UserError):
        return Thumbnail(trouble="the picture cannot be read")
    try:
        return _shrunk(content, side)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return Thumbnail(trouble="the picture is too large to be decoded safely")
    except Exception:  # noqa: BLE001 - decoders fail on hostile files in ways of their own; the page must not
        return BROKEN


def _shrunk(content: bytes, side: int) -> Thumbnail:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)  # refused by its header, before unpacking
        with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            width, height = picture.size
            picture.draft("RGB", (2 * side, 2 * side))  # of no effect but on JPEG: decodes at a fraction of the size
            picture.load()
            turn = orientation_of(picture)
            small = to_rgb(make_upright(picture, turn))
    if turn in SWAPPING:
        width, height = height, width
    small.thumbnail((side, side))
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=_QUALITY)
    address = "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
    return Thumbnail(address=address, width=width, height=height)
