"""Sizes and places of boxes and sizes of pictures, counted many pictures at a time."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.data.conversion.examined import Examined
from netwright.data.report.histogram import (
    ASPECTS,
    BOX_SHARES,
    BOX_SIDES,
    BOXES_PER_PICTURE,
    PICTURE_SIDES,
    Histogram,
    Lengths,
)

GRID = 24  # cells of the heat map, each way
_SMALL, _LARGE = 32**2, 96**2  # COCO's borders, square pixels


class Shapes:
    """Sizes and places of the boxes, sizes of the pictures."""

    def __init__(self) -> None:
        self._histograms = {
            "box_side": Histogram(BOX_SIDES),
            "box_share": Histogram(BOX_SHARES),
            "box_aspect": Histogram(ASPECTS),
            "picture_width": Histogram(PICTURE_SIDES),
            "picture_height": Histogram(PICTURE_SIDES),
            "boxes_per_picture": Histogram(BOXES_PER_PICTURE),
        }
        self._lengths = {"width": Lengths(), "height": Lengths()}
        self._areas = Counter(small=0, medium=0, large=0)
        self._heat = np.zeros((GRID, GRID), dtype=np.int64)

    def add(self, pictures: Sequence[Examined]) -> None:
        """Count ``pictures``, at least one."""
        sizes = np.array([(picture.width, picture.height) for picture in pictures], dtype=np.float64)
        counts = np.array([len(picture.labels) for picture in pictures])
        boxes = np.concatenate([picture.boxes.reshape(-1, 4) for picture in pictures]).astype(np.float64)
        self._count("picture_width", sizes[:, 0])
        self._count("picture_height", sizes[:, 1])
        self._count("boxes_per_picture", counts)
        self._add_boxes(boxes, np.repeat(sizes, counts, axis=0))

    def _add_boxes(self, boxes: NDArray[np.float64], sizes: NDArray[np.float64]) -> None:
        sides = boxes[:, 2:] - boxes[:, :2]
        areas = sides.prod(axis=1)
        self._count("box_side", np.sqrt(areas))
        self._count("box_share", 100 * np.sqrt(areas / sizes.prod(axis=1)))
        self._count("box_aspect", sides[:, 0] / sides[:, 1])
        self._lengths["width"].add(sides[:, 0])
        self._lengths["height"].add(sides[:, 1])
        small, large = int((areas < _SMALL).sum()), int((areas >= _LARGE).sum())
        self._areas.update(small=small, medium=len(areas) - small - large, large=large)
        self._heat += _covered(boxes / np.tile(sizes, 2))

    def _count(self, name: str, values: NDArray[np.float64]) -> None:
        self._histograms[name].add(values)

    def state(self) -> dict[str, Any]:
        """What was counted, as JSON values."""
        return {
            "histograms": {name: histogram.counts.tolist() for name, histogram in self._histograms.items()},
            "lengths": {side: lengths.state() for side, lengths in self._lengths.items()},
            "areas": self._areas,
            "heat": self._heat.tolist(),
        }

    def merge(self, state: dict[str, Any]) -> None:
        """Add what ``state`` of other pictures says."""
        for name, counts in state["histograms"].items():
            self._histograms[name].counts += np.array(counts)
        for side, lengths in state["lengths"].items():
            self._lengths[side].merge(lengths)
        self._areas.update(state["areas"])
        self._heat += np.array(state["heat"])

    def facts(self) -> dict[str, Any]:
        """What the report says, as JSON values."""
        return {
            "box_sizes": {side: lengths.facts() for side, lengths in self._lengths.items()},
            "box_areas": dict(self._areas),
            "histograms": {name: histogram.facts() for name, histogram in self._histograms.items()},
            "heat_map": self._heat.tolist(),
        }


def _covered(boxes: NDArray[np.float64]) -> NDArray[np.int64]:
    """(GRID, GRID) how many boxes cover the middle of each cell; a box smaller than a cell counts in its own.

    ``boxes`` (n, 4) are xyxy as shares of the picture.
    """
    middles = (np.arange(GRID) + 0.5) / GRID
    own = np.clip((boxes[:, :2] + boxes[:, 2:]) / 2 * GRID, 0, GRID - 1).astype(np.int64)
    columns, rows = (
        ((boxes[:, axis, None] <= middles) & (middles < boxes[:, axis + 2, None]))
        | (own[:, axis, None] == np.arange(GRID))
        for axis in (0, 1)
    )
    counts: NDArray[np.int64] = rows.T.astype(np.int32) @ columns.astype(np.int64)
    return counts
