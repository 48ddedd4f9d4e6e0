"""Calibration: whether a score of 0.8 is right in 8 of 10 cases (Guo et al., ICML 2017; hotcoco)."""

from dataclasses import dataclass

from netwright.errors import UserError
from netwright.evaluation.evaluation import Evaluation
from netwright.evaluation.iou_thresholds import IOU_THRESHOLDS, iou_index


@dataclass(frozen=True, kw_only=True)
class CalibrationBin:
    """Detections with scores of ``low`` to ``high``: how many, their mean score and the share that is right."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How far scores are from the share of right detections; all 0 without a detection.

    ``error`` is the mean gap over the bins, weighted by their counts (ECE), ``worst`` the largest gap (MCE),
    ``per_class`` the ECE of each class that has detections.
    """

    error: float
    worst: float
    per_class: dict[str, float]
    bins: tuple[CalibrationBin, ...]
    count: int
    iou: float


def calibration(evaluation: Evaluation, *, bins: int = 10, iou: float = 0.5) -> Calibration:
    """Calibration over all detections, in ``bins`` equal bins; right is what matches a box at ``iou``.

    Detections far below any threshold in use outweigh the others: they are many, and rightly sure to be wrong. Give
    ``evaluate`` the detections above a threshold for the calibration of what is shown. Raises UserError for scores
    outside 0..1.
    """
    for name, found in zip(evaluation.truth.names, evaluation.detections, strict=True):
        if len(found.scores) and not 0 <= found.scores.min() <= found.scores.max() <= 1:
            raise UserError(
                f"calibration needs scores of 0 to 1, picture {name!r} has {found.scores.min():g} to "
                f"{found.scores.max():g}: give probabilities, not logits"
            )
    result = evaluation.coco.calibration(n_bins=bins, iou_threshold=IOU_THRESHOLDS[iou_index(iou)])
    return Calibration(
        error=float(result["ece"]),
        worst=float(result["mce"]),
        per_class={name: float(value) for name, value in sorted(result["per_category"].items())},
        bins=tuple(
            CalibrationBin(
                low=float(row["bin_lower"]),
                high=float(row["bin_upper"]),
                count=int(row["count"]),
                confidence=float(row["avg_confidence"]),
                accuracy=float(row["avg_accuracy"]),
            )
            for row in result["bins"]
        ),
        count=int(result["num_detections"]),
        iou=iou,
    )
