"""Matching as Pascal VOC and TAO do it: a detection looks only at the box that it overlaps most.

COCO lets it take the best *free* box instead, so that of two neighbours found twice both count; here the second find
of the better one is a false alarm.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Boxes:
    """The boxes of one class in one picture, (n, 4) xyxy; ``neutral`` (n,) ones neither count nor harm."""

    corners: NDArray[np.float64]
    neutral: NDArray[np.bool_]


@dataclass(frozen=True)
class Ranked:
    """``right`` (D,) bool: which detections, best first, found a box; of ``positives`` boxes that count."""

    right: NDArray[np.bool_]
    positives: int


def rank(
    truth: Sequence[Boxes], boxes: Sequence[NDArray[np.float64]], scores: Sequence[NDArray[np.float32]], iou: float
) -> Ranked:
    """Match one class over all pictures, detections best first; equal scores in picture order.

    ``truth``, ``boxes`` (m, 4) and ``scores`` (m,) have an entry per picture. A detection whose best box is neutral
    is left out of the ranking.
    """
    picture = np.repeat(np.arange(len(truth)), [len(row) for row in scores])
    place = np.concatenate([np.arange(len(row)) for row in scores]) if len(scores) else np.zeros(0, np.int64)
    all_scores = np.concatenate([np.asarray(row, dtype=np.float64) for row in scores]) if len(scores) else np.zeros(0)
    overlaps = [inclusive_iou(found, known.corners) for found, known in zip(boxes, truth, strict=True)]
    taken = [np.zeros(len(known.corners), dtype=np.bool_) for known in truth]
    right: list[bool] = []
    for at in np.argsort(-all_scores, kind="stable"):
        which = picture[at]
        row = overlaps[which][place[at]]
        best = int(row.argmax()) if len(row) else -1
        if best < 0 or row[best] < iou:
            right.append(False)
        elif not truth[which].neutral[best]:
            right.append(not taken[which][best])
            taken[which][best] = True
    positives = sum(int((~known.neutral).sum()) for known in truth)
    return Ranked(np.array(right, dtype=np.bool_), positives)


def inclusive_iou(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """IoU (n, m) of boxes (n, 4) and (m, 4) whose corners are pixels that belong to the box: each side is 1 longer."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = np.clip(high - low + 1, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2] + 1).prod(axis=1) for boxes in (first, second)]
    ratio: NDArray[np.float64] = common / (areas[0][:, None] + areas[1][None, :] - common)
    return ratio
