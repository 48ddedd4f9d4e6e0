"""COCO's twelve numbers, overall and for each class (Lin et al. 2014, cocodataset.org/#detection-eval)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netwright.evaluation.evaluation import Evaluation

ALL, SMALL, MEDIUM, LARGE = range(4)  # COCO's areas: up to 32 x 32 pixels is small, up to 96 x 96 medium
_IOU50, _IOU75 = 0, 5  # places in 0.50:0.05:0.95


@dataclass(frozen=True, kw_only=True)
class CocoNumbers:
    """COCO's twelve, 0..1; None where there is no truth to measure by.

    ``ap`` is the mean over IoU 0.50:0.05:0.95 and, overall, over the classes with truth; ``ap50`` and ``ap75`` at one
    IoU; ``ar1``, ``ar10`` and ``ar100`` the recall reached with that many detections of a class in a picture, mean
    over the same IoUs. Small, medium and large are boxes of up to 32 x 32, up to 96 x 96 and more pixels.
    """

    ap: float | None
    ap50: float | None
    ap75: float | None
    ap_small: float | None
    ap_medium: float | None
    ap_large: float | None
    ar1: float | None
    ar10: float | None
    ar100: float | None
    ar_small: float | None
    ar_medium: float | None
    ar_large: float | None


def coco_numbers(evaluation: Evaluation) -> CocoNumbers:
    """The twelve over all classes with truth."""
    precision, recall = _accumulated(evaluation)
    return _twelve(precision, recall)


def class_numbers(evaluation: Evaluation) -> dict[str, CocoNumbers]:
    """The twelve of each class, in class order; a class without a single box has None twelve times."""
    precision, recall = _accumulated(evaluation)
    return {
        name: _twelve(precision[:, :, index : index + 1], recall[:, index : index + 1])
        for index, name in enumerate(evaluation.truth.classes)
    }


def _accumulated(evaluation: Evaluation) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision (IoUs, recall points, classes, areas, caps) and recall (IoUs, classes, areas, caps)."""
    assert evaluation.coco.eval is not None
    return np.asarray(evaluation.coco.eval["precision"]), np.asarray(evaluation.coco.eval["recall"])


def _twelve(precision: NDArray[np.float64], recall: NDArray[np.float64]) -> CocoNumbers:
    return CocoNumbers(
        ap=_mean(precision[:, :, :, ALL, -1]),
        ap50=_mean(precision[_IOU50, :, :, ALL, -1]),
        ap75=_mean(precision[_IOU75, :, :, ALL, -1]),
        ap_small=_mean(precision[:, :, :, SMALL, -1]),
        ap_medium=_mean(precision[:, :, :, MEDIUM, -1]),
        ap_large=_mean(precision[:, :, :, LARGE, -1]),
        ar1=_mean(recall[:, :, ALL, 0]),
        ar10=_mean(recall[:, :, ALL, 1]),
        ar100=_mean(recall[:, :, ALL, 2]),
        ar_small=_mean(recall[:, :, SMALL, -1]),
        ar_medium=_mean(recall[:, :, MEDIUM, -1]),
        ar_large=_mean(recall[:, :, LARGE, -1]),
    )


def _mean(values: NDArray[np.float64]) -> float | None:
    known = values[values > -1]
    return float(known.mean()) if known.size else None
