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


@dataclass(frozen=True)
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
    boxes = _by_class(shown.coco.coco_gt, status["gt_status"], ("matched", "fn"))
    missed = _by_class(shown.coco.coco_gt, status["gt_status"], ("fn",))
    alarms = _by_class(shown.coco.coco_dt, status["dt_status"], ("fp",))
    return {
        name: BorderErrors(*(_counted(rows.get(label, []), evaluation.truth) for rows in (boxes, missed, alarms)))
        for label, name in enumerate(evaluation.truth.classes)
        if label in boxes or label in alarms
    }


def _by_class(dataset: COCO, status: Mapping[int, str], wanted: Sequence[str]) -> dict[int, list[dict[str, Any]]]:
    """The annotations of a ``wanted`` status by label."""
    found: dict[int, list[dict[str, Any]]] = {}
    for row in dataset.load_anns([number for number, own in status.items() if own in wanted]):
        found.setdefault(row["category_id"] - 1, []).append(row)
    return found


def _counted(rows: Sequence[Mapping[str, Any]], truth: Truth) -> AtBorder:
    near = [_reaches_border(row["bbox"], *truth.sizes[row["image_id"] - 1]) for row in rows]
    return AtBorder(count=len(rows), at_border=sum(near))


def _reaches_border(box: Sequence[float], width: int, height: int) -> bool:
    """A box xywh in a picture of this size."""
    x, y, wide, high = box
    return min(x, y, width - x - wide, height - y - high) <= NEAR * min(width, height)
