"""An examined picture as a row of the catalogue's table, and back: packed by the workers, unpacked one at a time."""

import hashlib
import json
from functools import lru_cache
from typing import Any

import numpy as np

from netwright.data.conversion.examined import Examined, Offence
from netwright.data.conversion.fingerprint import line_digests
from netwright.data.conversion.raw import RawPicture

COLUMNS = (
    "name TEXT PRIMARY KEY",
    "state BLOB",  # of the picture and its labels when they were examined
    "path TEXT",  # where the encoded picture lies, "" where `content` holds it
    "content BLOB",
    "size INTEGER",  # of the encoded picture, bytes
    "source TEXT",
    "split TEXT",  # as declared, "" where it is not
    "grouping TEXT",
    "width INTEGER",
    "height INTEGER",
    "sha256 TEXT",
    "phash INTEGER",
    "labels TEXT",  # JSON list of the kept boxes' classes
    "boxes BLOB",  # corners, truncated, difficult, crowd, occluded, one after the other
    "offences TEXT",  # JSON, "" for none
    "kept INTEGER",
    "class_counts TEXT",  # JSON
    "digest BLOB",  # of all that the picture's record is made of
    "lines BLOB",  # for each of SPLITS the digest of the picture's line in the fingerprint
)
WHOLE = "name, source, split, grouping, width, height, sha256, phash, labels, boxes, offences, kept, class_counts"
Row = tuple[Any, ...]


def pack(raw: RawPicture, state: bytes, examined: Examined, size: int) -> Row:
    """The row of ``examined``, in the order of COLUMNS. ``size`` is the encoded picture's in bytes, 0 if missing."""
    in_memory = isinstance(raw.content, bytes)
    labels = json.dumps(examined.labels, ensure_ascii=False)
    boxes = _pack_boxes(examined)
    shape = f"{examined.name}\0{examined.source}\0{examined.sha256}\0{examined.width}x{examined.height}\0{labels}\0"
    return (
        examined.name,
        state,
        "" if in_memory else str(raw.content),
        raw.content if in_memory else None,
        size,
        examined.source,
        examined.split,
        examined.group,
        examined.width,
        examined.height,
        examined.sha256,
        examined.phash - (1 << 64) if examined.phash >> 63 else examined.phash,  # SQLite's integers are signed
        labels,
        boxes,
        pack_offences(examined.offences),
        int(examined.kept),
        json.dumps(examined.class_counts, ensure_ascii=False),
        hashlib.sha256(shape.encode("utf-8") + boxes).digest(),
        b"".join(line_digests(examined).values()),
    )


def unpack(row: Row) -> Examined:
    """The picture of a row of the columns WHOLE."""
    name, source, split, group, width, height, sha256, phash, labels, boxes, offences, kept, counts = row
    classes = class_names(labels)
    count = len(classes)
    return Examined(
        name=name,
        source=source,
        split=split,
        group=group,
        width=width,
        height=height,
        sha256=sha256,
        phash=phash % (1 << 64),
        labels=classes,
        boxes=np.frombuffer(boxes, np.float32, 4 * count).reshape(-1, 4),
        truncated=np.frombuffer(boxes, np.float32, count, 16 * count),
        difficult=np.frombuffer(boxes, np.bool_, count, 20 * count),
        crowd=np.frombuffer(boxes, np.bool_, count, 21 * count),
        occluded=np.frombuffer(boxes, np.int8, count, 22 * count),
        offences=unpack_offences(offences),
        kept=bool(kept),
        class_counts=tuple(tuple(count) for count in json.loads(counts)) if counts else (),
    )


@lru_cache(maxsize=50_000)  # pictures of one kind have the same few boxes
def class_names(labels: str) -> tuple[str, ...]:
    """The classes of the column ``labels``."""
    return tuple(json.loads(labels))


def pack_offences(offences: tuple[Offence, ...]) -> str:
    """JSON of ``offences``, NaN included; "" for none."""
    fields = [(o.rule, o.name, o.label, o.box, o.reason, o.action) for o in offences]
    return json.dumps(fields, ensure_ascii=False) if fields else ""


def unpack_offences(text: str) -> tuple[Offence, ...]:
    """What ``pack_offences`` packed."""
    return tuple(
        Offence(rule=rule, name=name, label=label, box=box and tuple(box), reason=reason, action=action)
        for rule, name, label, box, reason, action in (json.loads(text) if text else ())
    )


def _pack_boxes(examined: Examined) -> bytes:
    columns = (
        (examined.boxes, np.float32),
        (examined.truncated, np.float32),
        (examined.difficult, np.bool_),
        (examined.crowd, np.bool_),
        (examined.occluded, np.int8),
    )
    return b"".join(np.ascontiguousarray(values, kind).tobytes() for values, kind in columns)
