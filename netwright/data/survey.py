"""One pass over the kept pictures: counts, histograms with fixed bins, and a few pictures to show.

What is remembered grows with the number of classes, groups and picture sizes, not with the number of pictures. All sums
are of whole numbers and all choices by a hash of the name, so that the order of the pictures changes nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.data.examined import Examined
from netwright.data.histogram import (
    ASPECTS,
    BOX_SHARES,
    BOX_SIDES,
    BOXES_PER_PICTURE,
    PICTURE_SIDES,
    Histogram,
    Lengths,
)
from netwright.data.sampling import Lowest
from netwright.types import SPLITS

GRID = 24  # cells of the heat map, each way
SHEET = {"train": 16, "val": 8, "test": 8}  # pictures of each split on the contact sheet
_OF_EACH_CLASS = 2  # beside them, so that rare classes are seen
_CLASSES_SHOWN = 24
_SMALL, _LARGE = 32**2, 96**2  # COCO's borders, square pixels
_COMMON_SIZES = 10
_CUT_GROUPS = 100
_PIECE = 512  # pictures whose boxes are counted in one go


@dataclass(frozen=True, kw_only=True)
class Survey:
    """``facts`` are JSON values (see dataset_report.schema.json); ``sample`` are the contact sheet's pictures."""

    facts: dict[str, Any]
    sample: tuple[Examined, ...]


def survey_pictures(pictures: Iterable[Examined], classes: Sequence[str]) -> Survey:
    """Look once at ``pictures``: those that are kept, in any order, each with its final split and mapped labels."""
    counts, shapes, sheet = _Counts(), _Shapes(), _Sheet(classes)
    stream = iter(pictures)
    while piece := list(islice(stream, _PIECE)):
        for picture in piece:
            counts.add(picture)
            sheet.offer(picture)
        shapes.add(piece)
    return Survey(facts=counts.facts(classes) | shapes.facts(), sample=sheet.chosen())


class _Counts:
    """How many pictures, boxes, classes and groups each split holds."""

    def __init__(self) -> None:
        self._images: Counter[str] = Counter()
        self._empty: Counter[str] = Counter()
        self._boxes: Counter[tuple[str, str]] = Counter()
        self._shown: Counter[tuple[str, str]] = Counter()
        self._sizes: Counter[tuple[int, int]] = Counter()
        self._marked: Counter[str] = Counter()
        self._groups: defaultdict[str, set[str]] = defaultdict(set)

    def add(self, picture: Examined) -> None:
        split = picture.split
        self._images[split] += 1
        self._empty[split] += not picture.labels
        self._boxes.update((split, label) for label in picture.labels)
        self._shown.update((split, label) for label in set(picture.labels))
        self._sizes[picture.width, picture.height] += 1
        for mark in ("difficult", "crowd", "truncated", "occluded"):
            self._marked[mark] += int(np.count_nonzero(getattr(picture, mark)))
        if picture.group:
            self._groups[picture.group].add(split)

    def facts(self, classes: Sequence[str]) -> dict[str, Any]:
        cut = sorted(group for group, splits in self._groups.items() if len(splits) > 1)
        common = sorted(self._sizes.items(), key=lambda entry: (-entry[1], entry[0]))[:_COMMON_SIZES]
        return {
            "splits": {split: self._split(split, classes) for split in SPLITS},
            "boxes_marked": dict(self._marked),
            "picture_sizes": {
                "different": len(self._sizes),
                "most_common": [{"width": w, "height": h, "images": count} for (w, h), count in common],
            },
            "groups": {"count": len(self._groups), "cut": len(cut), "cut_names": cut[:_CUT_GROUPS]},
        }

    def _split(self, split: str, classes: Sequence[str]) -> dict[str, Any]:
        boxes = {label: self._boxes[split, label] for label in classes}
        return {
            "images": self._images[split],
            "empty_images": self._empty[split],
            "groups": sum(split in splits for splits in self._groups.values()),
            "boxes": sum(boxes.values()),
            "boxes_per_class": boxes,
            "images_per_class": {label: self._shown[split, label] for label in classes},
        }


class _Shapes:
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

    def facts(self) -> dict[str, Any]:
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
    counts: NDArray[np.int64] = (rows.T.astype(np.float64) @ columns.astype(np.float64)).astype(np.int64)
    return counts


class _Sheet:
    """The pictures of the contact sheet: those whose names hash lowest, of each split and of each class."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._shelves: dict[tuple[str, str], Lowest[Examined]] = {
            (split, ""): Lowest(count) for split, count in SHEET.items()
        }
        self._shelves |= {("", label): Lowest(_OF_EACH_CLASS) for label in classes[:_CLASSES_SHOWN]}

    def offer(self, picture: Examined) -> None:
        for shelf in ((picture.split, ""), *(("", label) for label in set(picture.labels))):
            if shelf in self._shelves:
                self._shelves[shelf].offer(picture.name, picture)

    def chosen(self) -> tuple[Examined, ...]:
        pictures = {picture.name: picture for shelf in self._shelves.values() for picture in shelf}
        return tuple(sorted(pictures.values(), key=lambda picture: (SPLITS.index(picture.split), picture.name)))
