"""Precision-recall curves at one IoU, as data, and the score at which precision and recall balance best."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netwright.evaluation.evaluation import Evaluation
from netwright.evaluation.iou_thresholds import iou_index


@dataclass(frozen=True, kw_only=True)
class PrecisionRecall:
    """One class: COCO's interpolated ``precision`` at the ``recall`` points 0, 0.01 .. 1, both (101,) of 0..1.

    ``scores`` (101,) is the lowest score among the detections that reach the recall, 0 where none does (precision is
    0 there too). ``best_f1`` is the largest harmonic mean on the curve, ``best_score`` the score threshold there.
    """

    iou: float
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    scores: NDArray[np.float64]
    best_f1: float
    best_score: float


def precision_recall(evaluation: Evaluation, *, iou: float = 0.5) -> dict[str, PrecisionRecall]:
    """The curve of each class with truth. ``iou`` is one of 0.50, 0.55 .. 0.95, else ValueError."""
    accumulated, place = evaluation.coco.eval, iou_index(iou)
    assert accumulated is not None
    precision = np.asarray(accumulated["precision"])[place, :, :, 0, -1]
    scores = np.asarray(accumulated["scores"])[place, :, :, 0, -1]
    return {
        name: _curve(iou, precision[:, index], scores[:, index])
        for index, name in enumerate(evaluation.truth.classes)
        if (precision[:, index] > -1).any()
    }


def _curve(iou: float, precision: NDArray[np.float64], scores: NDArray[np.float64]) -> PrecisionRecall:
    recall = np.linspace(0, 1, len(precision))
    total = precision + recall
    f1 = np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)
    best = int(f1.argmax())
    return PrecisionRecall(
        iou=iou,
        recall=recall,
        precision=precision,
        scores=np.where(precision > 0, scores, 0.0),
        best_f1=float(f1[best]),
        best_score=float(scores[best]) if f1[best] > 0 else 0.0,
    )
