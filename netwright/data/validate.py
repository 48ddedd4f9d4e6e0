"""The checks between a raw dataset and its records: each rule counted, each offender named with its reason.

A box that cannot be true is dropped and a box that reaches too far is clipped, both reported. A picture that cannot be
read stops the conversion with one line: leaving it out in silence would change the dataset unseen.
"""

import io
import math
import struct
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image

from netwright.artifacts.dataset import Record
from netwright.data.preprocess import decode_picture
from netwright.data.raw import RawBox, RawPicture
from netwright.errors import UserError

RULES: Mapping[str, str] = {
    "not_finite": "box dropped: a corner is NaN or infinite",
    "degenerate": "box dropped: no width or no height",
    "outside": "box dropped: wholly outside the picture",
    "clipped": "box clipped to the picture",
    "size_mismatch": "the label file's picture size is wrong: the picture's own is used",
    "exif_rotation": "the picture is turned as its EXIF orientation says: its boxes are taken as of the turned picture",
}
REJECTING = ("not_finite", "degenerate", "outside")
_FORMATS = ("JPEG", "PNG")
_DECODER_ERRORS = (  # each seen while fuzzing Pillow's decoders, or documented
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    TypeError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True, kw_only=True)
class Offence:
    """One thing that a rule found: ``box`` is the offending box as written, or None where the picture offends."""

    rule: str
    name: str
    label: str | None
    box: tuple[float, float, float, float] | None
    reason: str


def check_picture(raw: RawPicture, classes: tuple[str, ...]) -> tuple[Record, list[Offence]]:
    """Return the checked record of ``raw`` and what was found. Raises UserError for an unreadable picture."""
    content = raw.read()
    width, height, turned = picture_size(content, raw.source if isinstance(raw.content, bytes) else str(raw.content))
    offences = _picture_offences(raw, width, height, turned=turned)
    boxes, labels = [], []
    for box in raw.boxes:
        corners, rule = _check_box(box, width, height)
        if rule:
            offences.append(_offence(raw.name, rule, box))
        if corners:
            boxes.append(corners)
            labels.append(classes.index(box.label))
    record = Record(
        name=raw.name,
        split=raw.split,
        image=content,
        width=width,
        height=height,
        boxes=np.array(boxes, dtype=np.float32).reshape(-1, 4),
        labels=np.array(labels, dtype=np.int64),
        group=raw.group,
        source=raw.source,
    )
    return record, offences


def picture_size(content: bytes, where: str) -> tuple[int, int, bool]:
    """Decode ``content`` to prove that it can be; return its upright width and height and whether EXIF turns it.

    The header's size is checked by Pillow's limit (89 million pixels) before anything is unpacked.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=_FORMATS) as picture:
                orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
            height, width = decode_picture(content).shape[:2]
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UserError(f"{where} is too large to be decoded safely ({error}): shrink it") from None
    except _DECODER_ERRORS as error:
        raise UserError(
            f"{where} is not a readable JPEG or PNG ({error}): repair it, or remove it and its label"
        ) from None
    return width, height, orientation in range(2, 9)


def _picture_offences(raw: RawPicture, width: int, height: int, *, turned: bool) -> list[Offence]:
    found = []
    if raw.declared_size not in (None, (width, height)):
        reason = f"{RULES['size_mismatch']} (declared {raw.declared_size}, found {(width, height)})"
        found.append(Offence(rule="size_mismatch", name=raw.name, label=None, box=None, reason=reason))
    if turned:
        found.append(Offence(rule="exif_rotation", name=raw.name, label=None, box=None, reason=RULES["exif_rotation"]))
    return found


def _check_box(box: RawBox, width: int, height: int) -> tuple[tuple[float, float, float, float] | None, str]:
    """Return the box to keep, if any, and the rule it broke, if any."""
    left, top, right, bottom = box.corners
    if not all(math.isfinite(value) for value in box.corners):
        return None, "not_finite"
    if right <= left or bottom <= top:
        return None, "degenerate"
    if left >= width or top >= height or right <= 0 or bottom <= 0:
        return None, "outside"
    clipped = (max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height)))
    stored = np.array(clipped, dtype=np.float32)
    if stored[2] <= stored[0] or stored[3] <= stored[1]:  # thinner than float32 can tell
        return None, "degenerate"
    return clipped, "" if clipped == box.corners else "clipped"


def _offence(name: str, rule: str, box: RawBox) -> Offence:
    return Offence(rule=rule, name=name, label=box.label, box=box.corners, reason=RULES[rule])
