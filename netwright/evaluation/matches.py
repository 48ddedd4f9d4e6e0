"""Which detections are right, kept in a form from which accuracy on any resample of the pictures follows at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from hotcoco import COCOeval, Params
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from netwright.evaluation.evaluation import Evaluation
from netwright.evaluation.iou_thresholds import IOU_THRESHOLDS

_RECALLS = np.linspace(0, 1, 101)
_EVERY_AREA = [0.0, 1e10]


@dataclass(frozen=True)
class ClassMatches:
    """One class: its detections of all pictures, best first.

    ``picture`` (D,) index of the detection's picture; ``right`` and ``wrong`` (T, D) bool at each IoU, neither for a
    detection on a crowd; ``positives`` (N,) boxes that count in each picture.
    """

    picture: NDArray[np.int64]
    right: NDArray[np.bool_]
    wrong: NDArray[np.bool_]
    positives: NDArray[np.int64]


def match_pictures(evaluation: Evaluation) -> list[ClassMatches]:
    """COCO's matches (at most 100 detections of a class in a picture, any size of box), an entry per class."""
    coco = COCOeval(evaluation.coco.coco_gt, evaluation.coco.coco_dt, "bbox")
    settings = Params("bbox")
    settings.area_rng, settings.area_rng_lbl = [_EVERY_AREA], ["all"]
    coco.params = settings
    coco.evaluate()
    cells: dict[int, list[dict[str, Any]]] = {}
    for cell in coco.eval_imgs:
        if cell is not None:
            cells.setdefault(cell["category_id"] - 1, []).append(cell)
    return [
        _class_matches(cells.get(label, []), len(evaluation.truth)) for label in range(len(evaluation.truth.classes))
    ]


def _class_matches(cells: list[dict[str, Any]], pictures: int) -> ClassMatches:
    """Join a class's pictures; equal scores stay in picture order, as pycocotools has them."""
    cells = sorted(cells, key=lambda cell: cell["image_id"])
    positives = np.zeros(pictures, dtype=np.int64)
    for cell in cells:
        positives[cell["image_id"] - 1] = np.count_nonzero(~np.asarray(cell["gtIgnore"], dtype=np.bool_))
    flags = (len(IOU_THRESHOLDS), -1)
    empty = np.zeros((len(IOU_THRESHOLDS), 0), dtype=np.bool_)
    matched = np.hstack([empty, *(np.asarray(cell["dtMatched"], dtype=np.bool_).reshape(flags) for cell in cells)])
    ignored = np.hstack([empty, *(np.asarray(cell["dtIgnore"], dtype=np.bool_).reshape(flags) for cell in cells)])
    scores = np.concatenate([np.zeros(0), *(np.asarray(cell["dtScores"], dtype=np.float64) for cell in cells)])
    owner = np.repeat(
        np.array([cell["image_id"] - 1 for cell in cells], dtype=np.int64), [len(cell["dtScores"]) for cell in cells]
    )
    order = np.argsort(-scores, kind="stable")
    return ClassMatches(owner[order], (matched & ~ignored)[:, order], (~matched & ~ignored)[:, order], positives)


def weighted_accuracy(classes: list[ClassMatches], weights: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean AP (B, T) over the classes with truth when picture n counts ``weights[b, n]`` times; NaN without truth.

    Equal to COCOeval on pictures repeated so often, but for the order among equal scores inside one picture.
    """
    total = np.zeros((len(weights), len(IOU_THRESHOLDS)))
    known = np.zeros((len(weights), 1))
    for one in classes:
        positives = weights @ one.positives
        total[positives > 0] += np.column_stack([*_precisions(one, weights, positives)])[positives > 0]
        known += (positives > 0)[:, None]
    return np.divide(total, known, out=np.full_like(total, np.nan), where=known > 0)


def _precisions(
    one: ClassMatches, weights: NDArray[np.int64], positives: NDArray[np.int64]
) -> Iterator[NDArray[np.float64]]:
    """AP (B,) of one class at each IoU.

    Precision peaks at right detections only, so these are the columns; what is wrong between two of them is counted
    by a sparse product with the weights.
    """
    for right, wrong in zip(one.right, one.wrong, strict=True):
        found = np.cumsum(weights[:, one.picture[right]], axis=1)
        before = np.cumsum(right)  # right detections up to each place: the column a wrong one falls before
        counted = wrong & (before < right.sum())
        shape = (weights.shape[1], int(right.sum()))
        ones = np.ones(int(counted.sum()), dtype=np.int64)
        wrong_in = csr_matrix((ones, (one.picture[counted], before[counted])), shape=shape)
        false = np.cumsum(weights @ wrong_in, axis=1)
        yield _average_precision(found, false, positives)


def _average_precision(
    found: NDArray[np.int64], false: NDArray[np.int64], positives: NDArray[np.int64]
) -> NDArray[np.float64]:
    """COCO's mean (B,) of the falling precision at 101 recalls, from cumulated counts (B, J)."""
    if not found.shape[1]:
        return np.zeros(len(found))
    precision = found / np.maximum(found + false, 1)
    falling = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    place = _first_reaching(found, _needed(positives))
    reached = np.take_along_axis(falling, np.minimum(place, found.shape[1] - 1), axis=1)
    mean: NDArray[np.float64] = np.where(place < found.shape[1], reached, 0.0).mean(axis=1)
    return mean


def _needed(positives: NDArray[np.int64]) -> NDArray[np.int64]:
    """The fewest right detections (B, 101) whose share of ``positives`` is, in floating point, each recall or more."""
    most = np.maximum(positives, 1)[:, None]
    count = np.ceil(_RECALLS * most).astype(np.int64)
    count -= ((count - 1) / most >= _RECALLS) & (count > 0)
    count += count / most < _RECALLS
    return count


def _first_reaching(found: NDArray[np.int64], needed: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each row of ``found`` (B, J), rising, the first column of at least ``needed`` (B, 101); J where none is."""
    rows, columns = found.shape
    shift = np.arange(rows)[:, None] * (max(int(found.max()), int(needed.max())) + 1)
    place = np.searchsorted((found + shift).ravel(), (needed + shift).ravel()).reshape(needed.shape)
    own: NDArray[np.int64] = np.clip(place - np.arange(rows)[:, None] * columns, 0, columns)
    return own
