"""The truth of a set of pictures, as every metric reads it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netwright.artifacts.dataset import read_labels, read_manifest
from netwright.data.feeding.pictures import PictureSet
from netwright.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Truth:
    """N labelled pictures.

    ``sizes`` are (width, height) in pixels; ``boxes`` per picture (n, 4) float32 xyxy in picture pixels, ``labels``
    (n,) int64 indices into ``classes``, ``difficult`` and ``crowd`` (n,) bool; ``groups`` say what belongs together
    (a video, a patient), "" where nothing is known.
    """

    names: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    boxes: tuple[NDArray[np.float32], ...]
    labels: tuple[NDArray[np.int64], ...]
    difficult: tuple[NDArray[np.bool_], ...]
    crowd: tuple[NDArray[np.bool_], ...]
    groups: tuple[str, ...]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def take(self, indices: Sequence[int]) -> "Truth":
        """The pictures at ``indices``, in that order; one may come several times."""
        return Truth(
            names=tuple(self.names[i] for i in indices),
            sizes=tuple(self.sizes[i] for i in indices),
            boxes=tuple(self.boxes[i] for i in indices),
            labels=tuple(self.labels[i] for i in indices),
            difficult=tuple(self.difficult[i] for i in indices),
            crowd=tuple(self.crowd[i] for i in indices),
            groups=tuple(self.groups[i] for i in indices),
            classes=self.classes,
        )

    def with_crowds_as_boxes(self) -> "Truth":
        """As training and the benchmark count: a crowd that was kept is a box like any."""
        return replace(self, crowd=tuple(np.zeros(len(labels), dtype=np.bool_) for labels in self.labels))


def truth_of(pictures: PictureSet) -> Truth:
    """The truth of ``pictures``, which know nothing of difficult boxes, crowds and groups: none is marked."""
    none = tuple(np.zeros(len(labels), dtype=np.bool_) for labels in pictures.labels)
    return Truth(
        names=pictures.names,
        sizes=tuple((geometry.width, geometry.height) for geometry in pictures.geometries),
        boxes=pictures.boxes,
        labels=pictures.labels,
        difficult=none,
        crowd=none,
        groups=("",) * len(pictures),
        classes=pictures.classes,
    )


def read_truth(folder: Path, split: str) -> Truth:
    """The truth of ``split`` of the converted dataset in ``folder``; pictures are not read.

    Raises UserError for a missing or damaged dataset and for a split without a picture.
    """
    classes = read_manifest(folder).classes
    records = read_labels(folder, split)
    if not records:
        raise UserError(f"split {split!r} of {folder} holds no picture: choose another split")
    return Truth(
        names=tuple(record.name for record in records),
        sizes=tuple((record.width, record.height) for record in records),
        boxes=tuple(record.boxes for record in records),
        labels=tuple(record.labels for record in records),
        difficult=tuple(record.difficult for record in records),
        crowd=tuple(record.crowd for record in records),
        groups=tuple(record.group for record in records),
        classes=classes,
    )
