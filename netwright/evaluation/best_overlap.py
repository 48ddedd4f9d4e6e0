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
    """Boxes of all pictures in picture order: ``picture`` (n,) index, ``corners`` (n, 4) xyxy, ``labels`` (n,)."""

    picture: NDArray[np.int64]
    corners: NDArray[np.float32]
    labels: NDArray[np.int64]

    def where(self, keep: NDArray[np.bool_]) -> "Boxes":
        """Those that ``keep`` (n,) names."""
        return Boxes(self.picture[keep], self.corners[keep], self.labels[keep])


@dataclass(frozen=True)
class Ranked:
    """``right`` (D,) bool: which detections, best first, found a box; of ``positives`` boxes that count."""

    right: NDArray[np.bool_]
    positives: int


def joined(corners: Sequence[NDArray[np.float32]], labels: Sequence[NDArray[np.int64]]) -> Boxes:
    """Boxes with an entry of ``corners`` (n, 4) and ``labels`` (n,) for each picture."""
    picture = np.repeat(np.arange(len(labels)), [len(row) for row in labels])
    return Boxes(
        picture,
        np.concatenate([np.zeros((0, 4), np.float32), *corners]),
        np.concatenate([np.zeros(0, np.int64), *labels]),
    )


def rank(
    truth: Boxes, neutral: NDArray[np.bool_], found: Boxes, scores: NDArray[np.float32], threshold: float
) -> Ranked:
    """Match one class over all pictures, detections best first; equal ``scores`` (m,) in picture order.

    Boxes that are ``neutral`` (n,) neither count nor harm: a detection whose best box is one is left out.
    """
    best, overlap = _best(truth, found)
    hits = overlap >= threshold
    passed_over = hits & np.append(neutral, False)[best]
    order = np.argsort(-scores.astype(np.float64), kind="stable")
    counted = order[hits[order] & ~passed_over[order]]
    _, first = np.unique(best[counted], return_index=True)  # who comes later finds the box taken
    right = np.zeros(len(order), dtype=np.bool_)
    right[counted[first]] = True
    return Ranked(right[order[~passed_over[order]]], int((~neutral).sum()))


def _best(truth: Boxes, found: Boxes) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The box of the same picture that each detection (m,) overlaps most, -1 where there is none, and how much."""
    best, overlap = np.full(len(found.picture), -1), np.zeros(len(found.picture))
    for picture in np.intersect1d(truth.picture, found.picture):
        known, own = (slice(*np.searchsorted(side.picture, [picture, picture + 1])) for side in (truth, found))
        ratio = inclusive_iou(found.corners[own].astype(np.float64), truth.corners[known].astype(np.float64))
        best[own], overlap[own] = known.start + ratio.argmax(axis=1), ratio.max(axis=1)
    return best, overlap


def inclusive_iou(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """IoU (n, m) of boxes (n, 4) and (m, 4) whose corners are pixels that belong to the box: each side is 1 longer."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = np.clip(high - low + 1, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2] + 1).prod(axis=1) for boxes in (first, second)]
    ratio: NDArray[np.float64] = common / (areas[0][:, None] + areas[1][None, :] - common)
    return ratio
