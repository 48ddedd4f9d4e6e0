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

from netwright.data.conversion.examined import Examined
from netwright.data.report.sampling import Lowest
from netwright.data.report.shapes import Shapes
from netwright.types import SPLITS

SHEET = {"train": 16, "val": 8, "test": 8}  # pictures of each split on the contact sheet
_OF_EACH_CLASS = 2  # beside them, so that rare classes are seen
_CLASSES_SHOWN = 24
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
    counts, shapes, sheet = _Counts(), Shapes(), _Sheet(classes)
    stream = iter(pictures)
    while piece := list(islice(stream, _PIECE)):
        counts.add(piece)
        shapes.add(piece)
        for picture in piece:
            sheet.offer(picture)
    return Survey(facts=counts.facts(classes) | shapes.facts(), sample=sheet.chosen())


class _Counts:
    """How many pictures, boxes, classes and groups each split holds."""

    def __init__(self) -> None:
        self._images: Counter[str] = Counter()
        self._empty: Counter[str] = Counter()
        self._boxes: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._shown: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._sizes: Counter[tuple[int, int]] = Counter()
        self._marked: Counter[str] = Counter()
        self._groups: defaultdict[str, set[str]] = defaultdict(set)

    def add(self, pictures: Sequence[Examined]) -> None:
        """Count ``pictures``, at least one."""
        self._sizes.update((picture.width, picture.height) for picture in pictures)
        for mark in ("difficult", "crowd", "truncated", "occluded"):
            self._marked[mark] += int(np.count_nonzero(np.concatenate([getattr(p, mark) for p in pictures])))
        for picture in pictures:
            split = picture.split
            self._images[split] += 1
            self._empty[split] += not picture.labels
            self._boxes[split].update(picture.labels)
            self._shown[split].update(set(picture.labels))
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
        boxes = {label: self._boxes[split][label] for label in classes}
        return {
            "images": self._images[split],
            "empty_images": self._empty[split],
            "groups": sum(split in splits for splits in self._groups.values()),
            "boxes": sum(boxes.values()),
            "boxes_per_class": boxes,
            "images_per_class": {label: self._shown[split][label] for label in classes},
        }


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
