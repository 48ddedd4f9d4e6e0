"""One look at an encoded picture: proof that it can be decoded, its size, its hash, and what is unusual about it."""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from netwright.data.checks.perceptual_hash import perceptual_hash
from netwright.data.feeding.colour import SWAPPING, make_upright, orientation_of, to_rgb, unusual_mode

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
_FORMAT_WORDS = "JPEG, PNG, WebP, BMP, GIF or TIFF"
# of a TIFF; the others are for documents, and their decoders fill the terminal when a file is damaged
_TIFF_PACKINGS = ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "jpeg")
_MAX_SCANS = 100  # of a progressive JPEG; encoders write ten. Many scans of a large picture take hours to decode
_HASH_SIDE = 32  # pixels that the hash needs each way
_DECODER_ERRORS = (  # each seen while fuzzing Pillow's decoders, or documented
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    TypeError,
    IndexError,
    KeyError,
    OverflowError,
    MemoryError,
    struct.error,
    zlib.error,
)


class UnreadableError(Exception):
    """The picture cannot be used; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a picture is: upright size in pixels, perceptual hash, and (rule, reason) pairs of what is unusual."""

    width: int
    height: int
    phash: int
    unusual: tuple[tuple[str, str], ...]


def look_at(content: bytes, *, max_pixels: int) -> Look:
    """Decode ``content`` once. The header's size is compared with ``max_pixels`` before anything is unpacked.

    A JPEG is decoded at an eighth of its size: libjpeg still reads the whole stream, so that a cut file is found as
    surely, for less than half the time. A PNG's checksums are compared first, for a hundredth of its time: a damaged
    one is not unpacked. Raises UnreadableError.
    """
    with _decoder_errors():
        _check_stream(content)
        with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            width, height = picture.size
            if width * height > max_pixels:
                raise UnreadableError(f"{width} x {height} pixels are too many to decode (at most {max_pixels})")
            _check_packing(picture)
            unusual = tuple(_unusual(picture))
            phash = _hash(picture)
            turn = orientation_of(picture)
    if turn in SWAPPING:
        width, height = height, width
    return Look(width=width, height=height, phash=phash, unusual=unusual)


@contextmanager
def _decoder_errors() -> Iterator[None]:
    """Whatever Pillow raises for a damaged or huge file as UnreadableError, whatever it warns of in silence."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UnreadableError("its header claims too many pixels to decode safely: shrink it") from None
    except UnidentifiedImageError:  # its own message holds a memory address
        raise UnreadableError(f"it is no {_FORMAT_WORDS}") from None
    except _DECODER_ERRORS as error:
        raise UnreadableError(f"it is damaged ({str(error) or type(error).__name__})") from None


def _check_stream(content: bytes) -> None:
    if content.startswith(b"\x89PNG"):
        with Image.open(io.BytesIO(content), formats=("PNG",)) as picture:
            picture.verify()
    # inside compressed data FF is never followed by DA, so that this counts scans (and those of a thumbnail)
    elif content.startswith(b"\xff\xd8") and content.count(b"\xff\xda") > _MAX_SCANS:
        raise UnreadableError(f"it is a JPEG of more than {_MAX_SCANS} scans, which takes hours to decode")


def _check_packing(picture: Image.Image) -> None:
    packing = picture.info.get("compression", "raw")
    if picture.format == "TIFF" and packing not in _TIFF_PACKINGS:
        raise UnreadableError(f"it is a TIFF packed as {packing}: save it as PNG")


def _unusual(picture: Image.Image) -> Iterator[tuple[str, str]]:
    mode = unusual_mode(picture)
    if mode:
        yield "colour_mode", f"its colour mode is {mode}: it is shown as 8-bit RGB"
    # an MPO is a JPEG of a phone or a stereo camera that holds further views behind the picture
    if picture.format != "MPO" and getattr(picture, "is_animated", False):
        yield "animated", f"the picture is a {picture.format} of several frames: only the first can be used"
    turn = orientation_of(picture)
    if turn > 1:
        yield "exif_rotation", f"EXIF orientation {turn} turns the picture: its boxes are taken as of the turned one"


def _hash(picture: Image.Image) -> int:
    picture.draft("L", (_HASH_SIDE, _HASH_SIDE))  # of no effect but on JPEG
    picture.load()
    upright = make_upright(picture, orientation_of(picture))
    plain_grey = upright.mode == "L" and not upright.has_transparency_data
    return perceptual_hash(upright if plain_grey else to_rgb(upright))
