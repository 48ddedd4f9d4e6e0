"""The boxes of one picture of a COCO file."""

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.data.conversion.raw import RawBox, RawLabels

_MISSING = (math.nan,) * 4


@dataclass(frozen=True, kw_only=True)
class Rows:
    """One picture's boxes: ``corners`` (n, 4) float64 xyxy in pixels; ``size`` is (width, height) or None."""

    corners: NDArray[np.float64]
    labels: tuple[str, ...]
    crowd: NDArray[np.int8]
    difficult: NDArray[np.int8]
    truncated: NDArray[np.float32]
    occluded: NDArray[np.int8]
    size: tuple[int, int] | None

    def state(self) -> str:
        """Changes whenever a box, a label or the size does."""
        digest = hashlib.blake2b(repr((self.labels, self.size)).encode(), digest_size=16)
        for column in (self.corners, self.crowd, self.difficult, self.truncated, self.occluded):
            digest.update(column.tobytes())
        return digest.hexdigest()

    def read(self) -> RawLabels:
        """The boxes as every format gives them."""
        flags = zip(self.crowd, self.difficult, self.truncated, self.occluded, strict=True)
        return RawLabels(
            boxes=tuple(
                RawBox(
                    label=label,
                    corners=tuple(corners),
                    crowd=bool(crowd),
                    difficult=bool(difficult),
                    truncated=float(truncated),
                    occluded=int(occluded),
                )
                for label, corners, (crowd, difficult, truncated, occluded) in zip(
                    self.labels, self.corners.tolist(), flags, strict=True
                )
            ),
            declared_size=self.size,
        )


def corners_of(entry: dict[str, Any]) -> tuple[float, float, float, float]:
    """Corners of an annotation's bbox (x, y, width, height), or else around its polygons; NaN where it has neither."""
    box = entry.get("bbox")
    if not box:
        return _around(entry.get("segmentation"))
    left, top, width, height = (math.nan if value is None else float(value) for value in box)
    return left, top, left + width, top + height


def _around(polygons: Any) -> tuple[float, float, float, float]:
    if not isinstance(polygons, list) or not polygons:
        return _MISSING
    nested = polygons if isinstance(polygons[0], list) else [polygons]
    xs = [float(x) for polygon in nested for x in polygon[0::2]]
    ys = [float(y) for polygon in nested for y in polygon[1::2]]
    return (min(xs), min(ys), max(xs), max(ys)) if xs and ys else _MISSING
