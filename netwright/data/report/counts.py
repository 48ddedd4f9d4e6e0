"""How many pictures, boxes, classes and groups each split holds."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from netwright.data.conversion.examined import Examined
from netwright.types import SPLITS

_COMMON_SIZES = 10
_CUT_GROUPS = 100
_MARKS = ("difficult", "crowd", "truncated", "occluded")


class Counts:
    """Pictures by split and size, boxes by split and class, and the splits that each group is in."""

    def __init__(self) -> None:
        self._images: Counter[str] = Counter()
        self._empty: Counter[str] = Counter()
        self._boxes: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._shown: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._sizes: Counter[tuple[int, int]] = Counter()
        self._marked = Counter(dict.fromkeys(_MARKS, 0))
        self._groups: defaultdict[str, set[str]] = defaultdict(set)

    def add(self, pictures: Sequence[Examined]) -> None:
        """Count ``pictures``, at least one."""
        self._sizes.update((picture.width, picture.height) for picture in pictures)
        for mark in _MARKS:
            self._marked[mark] += int(np.count_nonzero(np.concatenate([getattr(p, mark) for p in pictures])))
        for picture in pictures:
            split = picture.split
            self._images[split] += 1
            self._empty[split] += not picture.labels
            self._boxes[split].update(picture.labels)
            self._shown[split].update(set(picture.labels))
            if picture.group:
                self._groups[picture.group].add(split)

    def state(self) -> dict[str, Any]:
        """What was counted, as JSON values."""
        return {
            "images": self._images,
            "empty": self._empty,
            "boxes": self._boxes,
            "shown": self._shown,
            "sizes": [[*size, count] for size, count in sorted(self._sizes.items())],
            "marked": self._marked,
            "groups": {group: sorted(splits) for group, splits in sorted(self._groups.items())},
        }

    def merge(self, state: dict[str, Any]) -> None:
        """Add what ``state`` of other pictures says."""
        self._images.update(state["images"])
        self._empty.update(state["empty"])
        self._marked.update(state["marked"])
        for own, name in ((self._boxes, "boxes"), (self._shown, "shown")):
            for split, counts in state[name].items():
                own[split].update(counts)
        self._sizes.update({(width, height): count for width, height, count in state["sizes"]})
        for group, splits in state["groups"].items():
            self._groups[group].update(splits)

    def facts(self, classes: Sequence[str]) -> dict[str, Any]:
        """What the report says, as JSON values."""
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
