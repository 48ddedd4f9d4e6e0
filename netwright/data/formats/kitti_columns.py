"""Many of KITTI's label files at once, where all of them are plain: one parse in place of a call for every box.

What is unusual (an encoding, another number of fields, an error) is left to kitti_labels, which says what and where.
"""

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from netwright.data.formats.box_columns import BoxColumns
from netwright.data.formats.label_text import is_class

_PLAIN = 1 << 16  # bytes of a file that is read in one go
_FIELDS = ({15}, {16}, {15, 16})
_ODD = b"\0\x1c\x1d\x1e\x1f"  # between words to text, part of a word to bytes; or no text at all


def read_columns(paths: Sequence[str]) -> BoxColumns | None:
    """The boxes of the label files ``paths`` as kitti_labels reads them; "" has none. None: read them one by one."""
    rows: list[list[bytes]] = []
    counts = []
    for path in paths:
        content = _content(path) if path else b""
        if content is None:
            return None
        found = [fields for line in content.splitlines() if (fields := line.split())]
        counts.append(len(found))
        rows += found
    if not rows:
        return None
    return _parsed(rows, counts) if set(map(len, rows)) in _FIELDS else None


def _content(path: str) -> bytes | None:
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        content = os.read(file, _PLAIN)
    except OSError:
        return None
    finally:
        os.close(file)
    odd = len(content) == _PLAIN or not content.isascii() or any(code in content for code in _ODD)
    return None if odd else content


def _parsed(rows: list[list[bytes]], counts: list[int]) -> BoxColumns | None:
    names, *texts = list(zip(*rows, strict=False))[:8]
    try:
        truncated, occluded, _, *corners = (np.array(list(map(float, column))) for column in texts)
    except ValueError:
        return None
    classes = {name: name.decode("ascii") for name in set(names)}
    if not all(map(is_class, classes.values())):
        return None
    crowds = {name for name, label in classes.items() if label.lower() == "dontcare"}
    flags = {
        "difficult": np.zeros(len(rows), np.bool_),
        "crowd": np.array([name in crowds for name in names], np.bool_),
        "truncated": _share(truncated),
        "occluded": _level(occluded),
    }
    with np.errstate(over="ignore"):  # a corner beyond float32 becomes infinite, which is refused further on
        return BoxColumns(counts, [classes[name] for name in names], np.stack(corners, 1).astype(np.float32), flags)


def _share(truncated: NDArray[np.float64]) -> NDArray[np.float32]:
    """As kitti_labels has it: 0..1, above 1 is 1, below 0 and no number 0."""
    within = (truncated >= 0) & (truncated <= 1)
    return np.where(within, truncated, (truncated > 1) & np.isfinite(truncated)).astype(np.float32)


def _level(occluded: NDArray[np.float64]) -> NDArray[np.int8]:
    """As kitti_labels has it: 0..3, below 0 is 0, all else (unknown) 3."""
    within = (occluded >= 0) & (occluded <= 3)
    below = (occluded > -np.inf) & (occluded < 0)
    return np.where(within, np.where(within, occluded, 0), np.where(below, 0, 3)).astype(np.int8)
