"""Pascal VOC's average precision, as the development kit's VOCevaldet.m computes it (Everingham et al.).

At one IoU; corners are pixels that belong to the box, so that sides are 1 longer; a detection counts only for the box
that it overlaps most; difficult boxes neither count nor harm. Two numbers: VOC 2007's, the mean of the best precision
at 11 recalls, and the area under the curve, VOC 2010 and later.
"""

from dataclasses import dataclass

import numpy as np

from netwright.evaluation.best_overlap import Ranked, joined, rank
from netwright.evaluation.evaluation import Evaluation


@dataclass(frozen=True, kw_only=True)
class PascalVoc:
    """AP, 0..1, per class with a box that counts, and the means over these; None where there is no such class."""

    iou: float
    ap07: dict[str, float]
    ap: dict[str, float]
    map07: float | None
    map: float | None


def pascal_voc(evaluation: Evaluation, *, iou: float = 0.5) -> PascalVoc:
    """VOC's AP at ``iou`` (VOC's own is 0.5). VOC knows no crowds: they are treated as difficult boxes."""
    known = {name: row for name, row in _ranked(evaluation, iou).items() if row.positives}
    ap07 = {name: eleven_points(row) for name, row in known.items()}
    area = {name: area_under_curve(row) for name, row in known.items()}
    return PascalVoc(
        iou=iou,
        ap07=ap07,
        ap=area,
        map07=float(np.mean(list(ap07.values()))) if known else None,
        map=float(np.mean(list(area.values()))) if known else None,
    )


def eleven_points(ranked: Ranked) -> float:
    """Mean, over the recalls 0, 0.1 .. 1, of the best precision at that recall or more; 0 where it is not reached.

    Recalls are compared as whole numbers: the kit's own ``0:0.1:1`` may miss a recall of exactly 0.3 by a rounding.
    """
    right = ranked.right.cumsum()
    precision = right / np.arange(1, len(right) + 1)
    points = [precision[10 * right >= tenth * ranked.positives] for tenth in range(11)]
    return sum(float(reached.max()) if len(reached) else 0.0 for reached in points) / 11


def area_under_curve(ranked: Ranked) -> float:
    """Area under the curve of recall and precision, the latter made to fall only."""
    right = ranked.right.cumsum()
    precision = right / np.arange(1, len(right) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    return float(falling[ranked.right].sum()) / ranked.positives


def _ranked(evaluation: Evaluation, iou: float) -> dict[str, Ranked]:
    truth, detections = evaluation.truth, evaluation.detections
    marks = zip(truth.difficult, truth.crowd, strict=True)
    neutral = np.concatenate([np.zeros(0, np.bool_), *(difficult | crowd for difficult, crowd in marks)])
    known = joined(truth.boxes, truth.labels)
    found = joined([row.boxes for row in detections], [row.labels for row in detections])
    scores = np.concatenate([np.zeros(0, np.float32), *(row.scores for row in detections)])
    ranked = {}
    for label, name in enumerate(truth.classes):
        own, seen = known.labels == label, found.labels == label
        ranked[name] = rank(known.where(own), neutral[own], found.where(seen), scores[seen], iou)
    return ranked
