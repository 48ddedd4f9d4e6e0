"""NVIDIA TAO's average precision, as DetectNet_v2's evaluate prints it (tao_tensorflow1_backend, compute_metrics.py).

It is not COCO's. Corners are rounded to whole pixels that belong to the box (sides 1 longer); each class has an IoU of
its own; boxes and detections outside the class's sizes are left out; a detection counts only for the box that it
overlaps most; every box counts, difficult or crowd; the mean runs over *all* classes, 0 for one without a box.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from netwright.errors import UserError
from netwright.evaluation.best_overlap import Boxes, Ranked, joined, rank
from netwright.evaluation.evaluation import Evaluation


@dataclass(frozen=True, kw_only=True)
class BoxSizes:
    """TAO's ``evaluation_box_config``: bounds, inclusive, of width and height in pixels, before any rounding."""

    min_width: float = 0
    max_width: float = float("inf")
    min_height: float = 0
    max_height: float = float("inf")

    def holds(self, boxes: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which of ``boxes`` (n, 4) xyxy lie in the bounds, (n,)."""
        width, height = (boxes[:, 2:] - boxes[:, :2]).T
        in_width = (width >= self.min_width) & (width <= self.max_width)
        kept: NDArray[np.bool_] = in_width & (height >= self.min_height) & (height <= self.max_height)
        return kept


@dataclass(frozen=True, kw_only=True)
class Tao:
    """AP, 0..1, per class and their mean: ``sample`` and ``integrate`` are TAO's two ``average_precision_mode``."""

    iou: dict[str, float]
    sample: dict[str, float]
    integrate: dict[str, float]
    map_sample: float
    map_integrate: float


def tao(evaluation: Evaluation, *, iou: Mapping[str, float], sizes: Mapping[str, BoxSizes] | None = None) -> Tao:
    """TAO's AP. ``iou`` is ``minimum_detection_ground_truth_overlap``; ``sizes`` keeps every box where not given.

    Raises UserError where a class has no IoU, as TAO does.
    """
    classes = evaluation.truth.classes
    if missing := [name for name in classes if name not in iou]:
        raise UserError(f"TAO's AP needs an IoU for each class, and {', '.join(missing)} has none: give one")
    bounds = {name: (sizes or {}).get(name, BoxSizes()) for name in classes}
    ranked = _ranked(evaluation, iou, bounds)
    modes: dict[Callable[[Ranked], float], dict[str, float]] = {
        mode: {name: mode(row) if row.positives else 0.0 for name, row in ranked.items()}
        for mode in (sample, integrate)
    }
    return Tao(
        iou={name: iou[name] for name in classes},
        sample=modes[sample],
        integrate=modes[integrate],
        map_sample=float(np.mean(list(modes[sample].values()))) if classes else 0.0,
        map_integrate=float(np.mean(list(modes[integrate].values()))) if classes else 0.0,
    )


def sample(ranked: Ranked) -> float:
    """SAMPLE: the mean, over 11 recalls, of the best precision at that recall or more.

    The recalls are TAO's binary fractions: its fourth is a hair above 0.3, so a recall of exactly 0.3 misses it.
    """
    recall, precision = _curve(ranked)
    reached = [precision[recall >= point] for point in np.linspace(0, 1, 11)]
    return sum(float(row.max()) if len(row) else 0.0 for row in reached) / 11


def integrate(ranked: Ranked) -> float:
    """INTEGRATE: the area under the curve from its first recall to its last, with TAO's own rule for heights.

    The height between two recalls is the best precision seen from the lower one on but before the last recall of all,
    and the strip before the first recall is not counted: N boxes found without a false alarm give (N - 1) / N.
    """
    recall, precision = _curve(ranked)
    steps, starts = np.unique(recall, return_index=True)
    if len(steps) < 2:
        return 0.0
    heights = np.maximum.reduceat(precision, starts)[:-1]
    falling = np.maximum.accumulate(heights[::-1])[::-1]
    return float((falling * np.diff(steps)).sum())


def _curve(ranked: Ranked) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    right = ranked.right.cumsum()
    return right / ranked.positives, right / np.arange(1, len(right) + 1)


def _ranked(evaluation: Evaluation, iou: Mapping[str, float], bounds: Mapping[str, BoxSizes]) -> dict[str, Ranked]:
    truth, detections = evaluation.truth, evaluation.detections
    known = joined(truth.boxes, truth.labels)
    found = joined([row.boxes for row in detections], [row.labels for row in detections])
    scores = np.concatenate([np.zeros(0, np.float32), *(row.scores for row in detections)])
    ranked = {}
    for label, name in enumerate(truth.classes):
        own, seen = (boxes.labels == label for boxes in (known, found))
        own[own], seen[seen] = bounds[name].holds(known.corners[own]), bounds[name].holds(found.corners[seen])
        neutral = np.zeros(np.count_nonzero(own), dtype=np.bool_)
        ranked[name] = rank(_whole(known.where(own)), neutral, _whole(found.where(seen)), scores[seen], iou[name])
    return ranked


def _whole(boxes: Boxes) -> Boxes:
    """With corners rounded to whole pixels."""
    return replace(boxes, corners=np.rint(boxes.corners))
