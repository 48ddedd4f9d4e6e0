"""COCO mean average precision, computed by hotcoco (checked against pycocotools in the tests)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netwright.data.feeding.pictures import PictureSet
from netwright.evaluation.coco_format import coco_dataset, coco_results
from netwright.evaluation.detections import Detections
from netwright.evaluation.evaluation import evaluate
from netwright.evaluation.truth import truth_of

__all__ = ["Accuracy", "coco_accuracy", "coco_results", "coco_truth"]


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Average precision, 0..1: mean over IoU 0.50:0.95 and at 0.50, overall and per class with any truth."""

    map50_95: float
    map50: float
    per_class: dict[str, float]
    per_class50: dict[str, float]


def coco_accuracy(pictures: PictureSet, detections: Sequence[Detections]) -> Accuracy:
    """Accuracy of ``detections``, one entry for every picture in order. Without any truth it is 0."""
    if not any(len(labels) for labels in pictures.labels):
        return Accuracy(map50_95=0.0, map50=0.0, per_class={}, per_class50={})
    evaluation = evaluate(truth_of(pictures), detections).coco
    # precision: (IoU thresholds, recall points, classes, areas, detections per image); -1 where a class has no truth
    assert evaluation.eval is not None
    precision = np.asarray(evaluation.eval["precision"])[:, :, :, 0, -1]
    known = {name: k for k, name in enumerate(pictures.classes) if (precision[:, :, k] > -1).any()}
    return Accuracy(
        map50_95=float(evaluation.stats[0]),
        map50=float(evaluation.stats[1]),
        per_class={name: float(precision[:, :, index].mean()) for name, index in known.items()},
        per_class50={name: float(precision[0, :, index].mean()) for name, index in known.items()},
    )


def coco_truth(pictures: PictureSet) -> dict[str, Any]:
    """The truth as a COCO dataset: image ids 1.., category ids 1.. in class order, boxes xywh in pixels."""
    return coco_dataset(truth_of(pictures))
