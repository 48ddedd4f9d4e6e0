"""The boxes of many pictures as columns: what moves between processes, and is computed on, sooner than box objects."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netwright.data.conversion.raw import RawBox

KINDS: dict[str, Any] = {"difficult": np.bool_, "crowd": np.bool_, "truncated": np.float32, "occluded": np.int8}


class BoxColumns(NamedTuple):
    """Boxes of pictures one after the other: how many each picture has, class names, corners (N, 4), flags (N,).

    ``flags`` has the other fields of RawBox by name.
    """

    counts: list[int]
    labels: list[str]
    corners: NDArray[np.float32]
    flags: dict[str, NDArray[Any]]


def columns_of(pictures: Sequence[Sequence[RawBox]]) -> BoxColumns:
    """The boxes of each picture, as columns."""
    boxes = [box for picture in pictures for box in picture]
    columns = dict(zip(RawBox._fields, zip(*boxes, strict=True), strict=False)) if boxes else {}
    with np.errstate(over="ignore"):  # a corner beyond float32 becomes infinite, which is refused further on
        corners = np.array(columns.get("corners", ()), np.float32).reshape(-1, 4)
    return BoxColumns(
        counts=[len(picture) for picture in pictures],
        labels=list(columns.get("label", ())),
        corners=corners,
        flags={name: np.array(columns.get(name, ()), kind) for name, kind in KINDS.items()},
    )
