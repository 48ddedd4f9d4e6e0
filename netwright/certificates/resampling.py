"""Accuracy on resamples of the pictures, overall and for each class, from which every interval follows.

The draws are those of ``paired_bootstrap`` with the same seed, so both give the same intervals.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netwright.artifacts.report import POINT
from netwright.certificates.method import Method
from netwright.certificates.metrics import WITH_INTERVAL
from netwright.evaluation.draws import blocks_of, draw_pictures, ends_of
from netwright.evaluation.evaluation import Evaluation
from netwright.evaluation.matches import match_pictures, weighted_accuracy

Metric = dict[str, float | None]  # value and, where there is an interval, low and high


@dataclass(frozen=True)
class Resampled:
    """AP of one row (C, 1 + B, T): each class, on the pictures as they are and on B resamples, at each IoU.

    NaN where the pictures drawn hold no box of the class.
    """

    classes: tuple[str, ...]
    values: NDArray[np.float64]

    def overall(self) -> NDArray[np.float64]:
        """Mean over the classes with truth (1 + B, T)."""
        known = ~np.isnan(self.values)
        total, count = np.where(known, self.values, 0.0).sum(axis=0), known.sum(axis=0)
        mean: NDArray[np.float64] = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
        return mean


def resample(evaluation: Evaluation, method: Method) -> Resampled:
    """The row's accuracy on ``method.resamples`` draws of its pictures, or of their groups where they are known.

    Raises UserError where there are fewer than two to draw from.
    """
    weights = draw_pictures(evaluation.truth, method.resamples, np.random.default_rng(method.seed))
    parts = list(blocks_of(weights))
    matches = match_pictures(evaluation)
    values = np.stack([np.concatenate([weighted_accuracy([one], part) for part in parts]) for one in matches])
    return Resampled(evaluation.truth.classes, values)


def with_intervals(
    values: Mapping[str, float | None], accuracies: NDArray[np.float64], confidence: float
) -> dict[str, Metric]:
    """``values`` by metric, each with its interval where ``accuracies`` (1 + B, T) give one."""
    metrics: dict[str, Metric] = {}
    for name, value in values.items():
        metrics[name] = {"value": value}
        if value is not None and name in WITH_INTERVAL:
            low, high = ends_of(accuracies[:, WITH_INTERVAL[name]].mean(axis=1), confidence)
            metrics[name] |= {"low": low, "high": high}
    return metrics


def points_between(first: Resampled, second: Resampled, confidence: float) -> dict[str, float]:
    """Points of mAP50-95 that ``second`` has more than ``first``, on the same draws, with the interval."""
    difference = (second.overall().mean(axis=1) - first.overall().mean(axis=1)) / POINT
    low, high = ends_of(difference, confidence)
    return {"value": float(difference[0]), "low": low, "high": high}
