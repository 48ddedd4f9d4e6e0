"""COCO mean average precision, computed by hotcoco (checked against pycocotools in the tests)."""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hotcoco import COCO, COCOeval

from netwright.data.pictures import PictureSet
from netwright.evaluation.detections import Detections


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
    truth = COCO(coco_truth(pictures))
    found = coco_results(detections)
    if not found:
        absent = {pictures.classes[label]: 0.0 for label in sorted({int(i) for row in pictures.labels for i in row})}
        return Accuracy(map50_95=0.0, map50=0.0, per_class=absent, per_class50=absent)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(truth, truth.load_res(found), "bbox")
        evaluation.run()
    # precision: (IoU thresholds, recall points, classes, areas, detections per image); -1 where a class has no truth
    assert evaluation.eval is not None
    precision = np.asarray(evaluation.eval["precision"])[:, :, :, 0, -1]
    classes = {pictures.classes[index]: index for index in range(len(pictures.classes))}
    known = {name: index for name, index in classes.items() if (precision[:, :, index] > -1).any()}
    return Accuracy(
        map50_95=float(evaluation.stats[0]),
        map50=float(evaluation.stats[1]),
        per_class={name: float(precision[:, :, index].mean()) for name, index in known.items()},
        per_class50={name: float(precision[0, :, index].mean()) for name, index in known.items()},
    )


def coco_truth(pictures: PictureSet) -> dict[str, Any]:
    """The truth as a COCO dataset: image ids 1.., category ids 1.. in class order, boxes xywh in pixels."""
    annotations: list[dict[str, Any]] = []
    for number, (boxes, labels) in enumerate(zip(pictures.boxes, pictures.labels, strict=True), start=1):
        for box, label in zip(boxes.astype(float), labels, strict=True):
            x1, y1, x2, y2 = box.tolist()
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": int(label) + 1,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": (x2 - x1) * (y2 - y1),
                    "iscrowd": 0,
                }
            )
    images = [
        {"id": number, "width": geometry.width, "height": geometry.height, "file_name": name}
        for number, (geometry, name) in enumerate(zip(pictures.geometries, pictures.names, strict=True), start=1)
    ]
    categories = [{"id": number, "name": name} for number, name in enumerate(pictures.classes, start=1)]
    return {"images": images, "annotations": annotations, "categories": categories}


def coco_results(detections: Sequence[Detections]) -> list[dict[str, Any]]:
    """Detections in COCO's result format, with the ids of ``coco_truth``."""
    rows: list[dict[str, Any]] = []
    for number, found in enumerate(detections, start=1):
        for box, score, label in zip(found.boxes.astype(float), found.scores, found.labels, strict=True):
            x1, y1, x2, y2 = box.tolist()
            rows.append(
                {
                    "image_id": number,
                    "category_id": int(label) + 1,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "score": float(score),
                }
            )
    return rows
