"""The confusion matrix: which classes are taken for which, what is missed and what is invented (hotcoco)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netwright.evaluation.evaluation import Evaluation


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """``counts`` (C + 1, C + 1) int64: row the true class, column the found one, the last of each "nothing".

    ``counts[i, j]`` are boxes of class i found as j, ``counts[i, C]`` those missed, ``counts[C, j]`` detections of
    class j where nothing is. ``iou`` and ``score`` are the thresholds that it was made with.
    """

    classes: tuple[str, ...]
    counts: NDArray[np.int64]
    iou: float
    score: float

    @property
    def missed(self) -> NDArray[np.int64]:
        """Boxes of each class (C,) that no detection of any class found."""
        return self.counts[:-1, -1]

    @property
    def false_alarms(self) -> NDArray[np.int64]:
        """Detections of each class (C,) where nothing is, or what is there was already found."""
        return self.counts[-1, :-1]


def confusion_matrix(evaluation: Evaluation, *, iou: float = 0.5, score: float = 0.25) -> Confusion:
    """Match each picture's detections of at least ``score``, best first, with its boxes of whatever class.

    A detection takes the free box with the largest overlap of at least ``iou``. Crowds are no boxes
    to be missed, but what is found on them is a false alarm here. A picture counts with its 100 best detections.
    """
    found = evaluation.above(score).coco.confusion_matrix(iou_thr=iou, min_score=0.0)
    return Confusion(
        classes=evaluation.truth.classes, counts=np.asarray(found["matrix"]).astype(np.int64), iou=iou, score=score
    )
