"""What a converted dataset is, in 64 letters: equal for equal content, on whatever machine and in whatever order."""

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from netwright.data.conversion.examined import Examined
from netwright.types import SPLITS

_FORM = "netwright dataset 1"  # changes when the lines below do


def fingerprint(digests: Iterable[bytes], classes: Sequence[str]) -> str:
    """Sha256 (hex) over the ``digests`` of the kept pictures (see line_digests), and ``classes`` in their order.

    Every picture makes one canonical line: name, split, sha256 of the encoded file, size, and its boxes with class
    and flags, sorted. The digests of these lines are sorted too (32 bytes a picture are held). So the order of files
    and of boxes, times, paths, groups and the way in which a number was written count for nothing; any byte of a
    picture, any box, label, flag, name or split, and the order of ``classes`` count.
    """
    whole = hashlib.sha256(json.dumps([_FORM, list(classes)]).encode())
    for digest in sorted(digests):
        whole.update(digest)
    return whole.hexdigest()


def line_digests(picture: Examined) -> dict[str, bytes]:
    """Sha256 (32 bytes) of the line that ``picture`` makes in each split: which it is, is decided later."""
    # file systems differ in how they compose accents
    name = json.dumps(unicodedata.normalize("NFC", picture.name))
    rest = json.dumps([picture.sha256, int(picture.width), int(picture.height), _boxes(picture)]).removeprefix("[")
    return {split: hashlib.sha256(f'[{name}, "{split}", {rest}'.encode()).digest() for split in SPLITS}


def _boxes(picture: Examined) -> list[tuple[str, str, str, int, int, int]]:
    """Class, corners and truncation as the bytes of their float32 values, flags; sorted."""
    rows = zip(
        picture.labels,
        _hex(picture.boxes, values=4),
        _hex(picture.truncated, values=1),
        picture.difficult.tolist(),
        picture.crowd.tolist(),
        picture.occluded.tolist(),
        strict=True,
    )
    return sorted(
        (label, box, cut, int(hard), int(crowd), int(hidden)) for label, box, cut, hard, crowd, hidden in rows
    )


def _hex(numbers: NDArray[np.float32], *, values: int) -> list[str]:
    """Little-endian float32 bytes of each ``values`` numbers as text; adding zero turns -0.0 into 0.0."""
    text = (np.asarray(numbers, dtype="<f4") + np.float32(0)).astype("<f4").tobytes().hex()
    width = 8 * values
    return [text[start : start + width] for start in range(0, len(text), width)]
