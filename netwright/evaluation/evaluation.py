"""Detections matched with the truth, once, for every metric that hotcoco computes."""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass

from hotcoco import COCO, COCOeval

from netwright.evaluation.coco_format import coco_dataset, coco_rows
from netwright.evaluation.detections import Detections
from netwright.evaluation.truth import Truth


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """``detections`` (sound ones, an entry per picture in order) against ``truth``; ``coco`` has been run."""

    truth: Truth
    detections: tuple[Detections, ...]
    coco: COCOeval

    def above(self, score: float) -> "Evaluation":
        """The same with the detections of at least ``score`` alone, matched anew."""
        return evaluate(self.truth, [found.above(score) for found in self.detections])


def evaluate(truth: Truth, detections: Sequence[Detections]) -> Evaluation:
    """Match ``detections`` with ``truth`` by COCO's rules: greedily, best score first, at IoU 0.50:0.05:0.95.

    At most 100 detections of a class count in a picture. Both sides may be empty. Raises ValueError where there is
    not one entry of ``detections`` for each picture, or a label that is no class.
    """
    if len(detections) != len(truth):
        raise ValueError(f"{len(detections)} entries of detections for {len(truth)} pictures")
    for name, found in zip(truth.names, detections, strict=True):
        if len(found.labels) and not 0 <= found.labels.min() <= found.labels.max() < len(truth.classes):
            raise ValueError(f"picture {name!r} has a detection of a class that is none of {len(truth.classes)}")
    dataset = COCO(coco_dataset(truth))
    coco = COCOeval(dataset, dataset.load_res(coco_rows(detections)), "bbox")
    with contextlib.redirect_stdout(io.StringIO()):
        coco.run()
    return Evaluation(truth=truth, detections=tuple(found.sound() for found in detections), coco=coco)
