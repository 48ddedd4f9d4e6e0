"""Pictures with predicted boxes beside the truth, each box told apart as found, wrong or missed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netwright.artifacts.dataset import read_labels, read_records
from netwright.data.feeding.preprocess import decode_picture
from netwright.evaluation.detections import Detections
from netwright.reporting.page import picture_uri

MATCH_IOU = 0.5
LOWEST_SCORE = 0.05  # below it boxes only weigh on the page


@dataclass(frozen=True, kw_only=True)
class GalleryPicture:
    """One picture with its truth and what was detected in it.

    ``pixels`` (H, W, 3) uint8 RGB; ``boxes`` (N, 4) float32 xyxy in them; ``labels`` (N,) int64.
    """

    name: str
    pixels: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    detections: Detections


@dataclass(frozen=True, kw_only=True)
class DrawnBox:
    """A box as drawn: x, y, width, height in picture pixels.

    For a prediction, ``score`` is its own and ``right`` says whether it matches a truth. For a truth, ``score`` is
    that of the prediction which found it: under a higher threshold it is missed; ``right`` is then always False at 0.
    """

    x: float
    y: float
    width: float
    height: float
    label: str
    score: float
    right: bool


@dataclass(frozen=True, kw_only=True)
class DrawnPicture:
    """A gallery entry ready for the template."""

    name: str
    uri: str
    width: int
    height: int
    truth: list[DrawnBox]
    predicted: list[DrawnBox]


def gallery_of(folder: Path, split: str, found: Mapping[str, Detections], count: int) -> list[GalleryPicture]:
    """The first ``count`` pictures by name of a split of the converted dataset in ``folder``.

    ``found`` maps picture names to detections.
    """
    names = {record.name for record in read_labels(folder, split)[:count]}
    shown = islice((record for record in read_records(folder, split) if record.name in names), count)
    return [
        GalleryPicture(
            name=record.name,
            pixels=decode_picture(record.image),
            boxes=record.boxes,
            labels=record.labels,
            detections=found[record.name],
        )
        for record in sorted(shown, key=lambda record: record.name)
    ]


def draw_gallery(pictures: Sequence[GalleryPicture], classes: Sequence[str]) -> list[DrawnPicture]:
    """Match predictions with truth and make each picture ready for the page."""
    return [_drawn(picture, classes) for picture in pictures]


def _drawn(picture: GalleryPicture, classes: Sequence[str]) -> DrawnPicture:
    found = picture.detections.above(LOWEST_SCORE)
    matches = match_greedily(found, picture.boxes, picture.labels)
    found_by = {int(truth): float(found.scores[index]) for index, truth in enumerate(matches) if truth >= 0}
    height, width = picture.pixels.shape[:2]
    return DrawnPicture(
        name=picture.name,
        uri=picture_uri(picture.pixels),
        width=width,
        height=height,
        truth=[
            _box(box, classes[label], found_by.get(index, 0.0), index in found_by)
            for index, (box, label) in enumerate(zip(picture.boxes, picture.labels, strict=True))
        ],
        predicted=[
            _box(box, classes[label], float(score), bool(match >= 0))
            for box, label, score, match in zip(found.boxes, found.labels, found.scores, matches, strict=True)
        ],
    )


def match_greedily(
    found: Detections, boxes: NDArray[np.float32], labels: NDArray[np.int64], iou: float = MATCH_IOU
) -> NDArray[np.int64]:
    """Index of the truth that each detection matches, or -1: COCO's rule, highest score first, each truth once.

    Since better detections choose first, raising the score threshold never changes the match of those that stay.
    """
    matches = np.full(len(found.scores), -1, dtype=np.int64)
    if not len(boxes):
        return matches
    overlaps = _iou(found.boxes, boxes) * (found.labels[:, None] == labels[None])
    for index in np.argsort(-found.scores, kind="stable"):
        best = int(overlaps[index].argmax())
        if overlaps[index, best] >= iou:
            matches[index] = best
            overlaps[:, best] = 0
    return matches


def _iou(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, M) intersection over union of xyxy boxes."""
    corner = np.maximum(one[:, None, :2], other[None, :, :2])
    far = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = np.clip(far - corner, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (one, other)]
    result: NDArray[np.float32] = shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-9)
    return result


def _box(box: NDArray[np.float32], label: str, score: float, right: bool) -> DrawnBox:
    left, top, end, bottom = (round(float(value), 1) for value in box)
    return DrawnBox(
        x=left,
        y=top,
        width=round(end - left, 1),
        height=round(bottom - top, 1),
        label=label,
        score=round(score, 3),
        right=right,
    )
