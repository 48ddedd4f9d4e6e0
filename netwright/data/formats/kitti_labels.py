"""KITTI's label text: a line is one object in 15 or 16 fields (kitti says which)."""

import math
from functools import partial
from pathlib import Path

from netwright.data.conversion.raw import RawBox, RawLabels
from netwright.data.formats.label_text import check_class, is_class, quote, read_lines
from netwright.errors import UserError


def read_labels(path: str | Path, shown: str) -> RawLabels:
    """Parse the label file ``path``, called ``shown`` in messages. Raises UserError naming the line."""
    return RawLabels(boxes=tuple(_box(line, shown, number) for number, line in read_lines(path, shown)))


def looks_like(line: str) -> bool:
    """Whether it has 15 or 16 fields and is no YOLO polygon: its class is no number, or its corners are beyond 1."""
    try:
        box = _box(line, "", 0)
    except UserError:
        return False
    return not box.label.isdigit() or any(abs(corner) > 1 for corner in box.corners)


def _box(line: str, shown: str, number: int) -> RawBox:
    fields, where = line.split(), partial("{}, line {}".format, shown, number)
    words = 1 if len(fields) > 1 and _is_number(fields[1]) else _words(fields)
    if len(fields) - words not in (14, 15):
        raise UserError(
            f"{where()} has {len(fields)} fields, {quote(line)}: KITTI has 15 (type, truncated, occluded, alpha, "
            "left, top, right, bottom, 7 of 3D), or 16 with a score"
        )
    try:
        truncated, occluded, _, xmin, ymin, xmax, ymax = map(float, fields[words : words + 7])
    except ValueError:
        raise UserError(f"{where()} has text where a number belongs, {quote(line)}: repair it") from None
    label = " ".join(fields[:words])
    if not is_class(label):
        check_class(label, where())
    return RawBox(
        label=label,
        corners=(xmin, ymin, xmax, ymax),
        crowd=label.lower() == "dontcare",
        truncated=truncated if 0 <= truncated <= 1 else float(truncated > 1 and math.isfinite(truncated)),
        occluded=int(occluded) if 0 <= occluded <= 3 else 0 if -math.inf < occluded < 0 else 3,
    )


def _words(fields: list[str]) -> int:
    """How many of the first fields are the class name: those before a number."""
    return next((place for place, field in enumerate(fields) if place and _is_number(field)), len(fields))


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
