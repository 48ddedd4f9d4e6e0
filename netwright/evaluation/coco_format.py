"""Truth and detections in COCO's own format: image ids 1.. in picture order, category ids 1.. in class order."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.evaluation.detections import Detections
from netwright.evaluation.truth import Truth


def coco_dataset(truth: Truth) -> dict[str, Any]:
    """``truth`` as a COCO dataset, boxes xywh in pixels. COCO has no word for difficult: those boxes count."""
    annotations: list[dict[str, Any]] = []
    for number, (boxes, labels, crowd) in enumerate(zip(truth.boxes, truth.labels, truth.crowd, strict=True), start=1):
        for box, label, many in zip(boxes.astype(float), labels, crowd, strict=True):
            x1, y1, x2, y2 = box.tolist()
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": int(label) + 1,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": (x2 - x1) * (y2 - y1),
                    "iscrowd": int(many),
                }
            )
    images = [
        {"id": number, "width": width, "height": height, "file_name": name}
        for number, ((width, height), name) in enumerate(zip(truth.sizes, truth.names, strict=True), start=1)
    ]
    categories = [{"id": number, "name": name} for number, name in enumerate(truth.classes, start=1)]
    return {"images": images, "annotations": annotations, "categories": categories}


def coco_rows(detections: Sequence[Detections]) -> NDArray[np.float64]:
    """The sound detections as rows (N, 7): image id, x, y, width, height, score, category id."""
    rows = [np.zeros((0, 7))]
    for number, given in enumerate(detections, start=1):
        found = given.sound()
        boxes = found.boxes.astype(np.float64)
        image = np.full(len(boxes), float(number))
        label = found.labels.astype(np.float64) + 1
        sizes = boxes[:, 2:] - boxes[:, :2]
        rows.append(np.column_stack((image, boxes[:, :2], sizes, found.scores.astype(np.float64), label)))
    return np.concatenate(rows)


def coco_results(detections: Sequence[Detections]) -> list[dict[str, Any]]:
    """The sound detections in COCO's result format, with the ids of ``coco_dataset``."""
    return [
        {"image_id": int(row[0]), "category_id": int(row[6]), "bbox": row[1:5], "score": row[5]}
        for row in coco_rows(detections).tolist()
    ]
