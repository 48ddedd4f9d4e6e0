"""Errors at the picture's border, where labels follow a rule of their own: what cut object is still worth a box?

A detector that learns another rule (see AugmentPolicy.visible) errs there far more often than labels lie there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hotcoco import COCO

from netwright.evaluation.evaluation import Evaluation
from netwright.evaluation.truth import Truth

NEAR = 0.01  # of the picture's shorter side: a box that comes so near to the border is at it


@dataclass(frozen=True, kw_only=True)
class AtBorder:
    """How many there are, and how many of them reach the border of their picture."""

    count: int
    at_border: int

    @property
    def share(self) -> float | None:
        """0..1; None of none."""
        return self.at_border / self.count if self.count else None


@dataclass(frozen=True, kw_only=True)
class BorderErrors:
    """Of one class: the labelled ``boxes``, the ``missed`` ones among them, and the ``false_alarms``."""

    boxes: AtBorder
    missed: AtBorder
    false_alarms: AtBorder


def border_errors(evaluation: Evaluation, *, score: float = 0.25, iou: float = 0.5) -> dict[str, BorderErrors]:
    """Errors of each class with truth or false alarms, in class order, among detections of at least ``score``.

    Detections are matched class by class at ``iou`` (0.50 .. 0.95), as for ``worst_pictures``; crowds do not count.
    """
    shown = evaluation.above(score)
    status = shown.coco.image_diagnostics(iou_thr=iou, score_thr=score)
    boxes = _annotations(shown.coco.coco_gt, status["gt_status"], ("matched", "fn"))
    missed = _annotations(shown.coco.coco_gt, status["gt_status"], ("fn",))
    alarms = _annotations(shown.coco.coco_dt, status["dt_status"], ("fp",))
    return {
        name: BorderErrors(
            boxes=_counted(boxes, label, evaluation.truth),
            missed=_counted(missed, label, evaluation.truth),
            false_alarms=_counted(alarms, label, evaluation.truth),
        )
        for label, name in enumerate(evaluation.truth.classes)
        if any(row["category_id"] == label + 1 for row in (*boxes, *alarms))
    }


def _annotations(dataset: COCO, status: Mapping[int, str], wanted: Sequence[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = dataset.load_anns([number for number, own in status.items() if own in wanted])
    return found


def _counted(rows: Sequence[Mapping[str, Any]], label: int, truth: Truth) -> AtBorder:
    own = [row for row in rows if row["category_id"] == label + 1]
    near = [_reaches_border(row["bbox"], *truth.sizes[row["image_id"] - 1]) for row in own]
    return AtBorder(count=len(own), at_border=sum(near))


def _reaches_border(box: Sequence[float], width: int, height: int) -> bool:
    """A box xywh in a picture of this size."""
    x, y, wide, high = box
    return min(x, y, width - x - wide, height - y - high) <= NEAR * min(width, height)
