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
from netwright.evaluation.evaluation import Evaluation
from netwright.evaluation.matches import match_pictures, weighted_accuracy

_AT_ONCE = 250  # resamples: what bounds the memory

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
    """The row's accuracy on ``method.resamples`` draws of its pictures, as many as there are, with replacement."""
    count = len(evaluation.truth)
    random = np.random.default_rng(method.seed)
    draws = random.multinomial(count, np.full(count, 1 / count), size=method.resamples)
    weights = np.vstack([np.ones((1, count), dtype=np.int64), draws])
    parts = [weights[start : start + _AT_ONCE] for start in range(0, len(weights), _AT_ONCE)]
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
            low, high = _ends(accuracies[:, WITH_INTERVAL[name]].mean(axis=1), confidence)
            metrics[name] |= {"low": low, "high": high}
    return metrics


def points_between(first: Resampled, second: Resampled, confidence: float) -> dict[str, float]:
    """Points of mAP50-95 that ``second`` has more than ``first``, on the same draws, with the interval."""
    difference = (second.overall().mean(axis=1) - first.overall().mean(axis=1)) / POINT
    low, high = _ends(difference, confidence)
    return {"value": float(difference[0]), "low": low, "high": high}


def _ends(values: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    """The interval of the resamples; the first of ``values`` is the one measured."""
    low, high = np.nanquantile(values[1:], [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
