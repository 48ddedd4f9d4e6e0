"""Truth and detections for the tests of evaluation, and pycocotools' own evaluation of them."""

import contextlib
import io
from collections.abc import Sequence

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from netwright.evaluation.coco_format import coco_dataset, coco_results
from netwright.evaluation.detections import Detections
from netwright.evaluation.truth import Truth

CLASSES = ("cat", "dog", "bird")
Box = tuple[float, float, float, float]


def truth_from(
    pictures: Sequence[Sequence[tuple[int, Box]]],
    *,
    difficult: Sequence[tuple[int, int]] = (),
    crowd: Sequence[tuple[int, int]] = (),
    groups: Sequence[str] | None = None,
    classes: tuple[str, ...] = CLASSES,
) -> Truth:
    """(label, box) pairs per picture; ``difficult`` and ``crowd`` name (picture, box) places."""
    count = len(pictures)
    marks = [
        tuple(np.array([(at, number) in which for number in range(len(row))], bool) for at, row in enumerate(pictures))
        for which in (difficult, crowd)
    ]
    return Truth(
        names=tuple(f"picture{index}" for index in range(count)),
        sizes=((400, 300),) * count,
        boxes=tuple(np.array([box for _, box in row], np.float32).reshape(-1, 4) for row in pictures),
        labels=tuple(np.array([label for label, _ in row], np.int64) for row in pictures),
        difficult=marks[0],
        crowd=marks[1],
        groups=tuple(groups or ("",) * count),
        classes=classes,
    )


def found(*rows: tuple[int, float, Box]) -> Detections:
    """(label, score, box) rows of one picture."""
    return Detections(
        np.array([box for _, _, box in rows], np.float32).reshape(-1, 4),
        np.array([score for _, score, _ in rows], np.float32),
        np.array([label for label, _, _ in rows], np.int64),
    )


def random_scene(seed: int, *, pictures: int = 30, crowds: bool = False) -> tuple[Truth, list[Detections]]:
    """Truth of two of three classes, and detections that are the truth shaken, some missed, some invented."""
    rng = np.random.default_rng(seed)
    rows, marked, detections = [], [], []
    for at in range(pictures):
        count = int(rng.integers(0, 8))
        corner = rng.uniform(0, 250, (count, 2))
        own = np.concatenate((corner, corner + rng.uniform(12, 140, (count, 2))), 1)
        label = rng.integers(0, 2, count)
        rows.append([(int(name), tuple(box)) for name, box in zip(label, own, strict=True)])
        if crowds and count and at % 3 == 0:
            marked.append((at, 0))
        kept = rng.random(count) < 0.85
        shaken = own[kept] + rng.normal(0, 0.05, (int(kept.sum()), 4)) * np.tile(own[kept, 2:] - own[kept, :2], 2)
        twice = shaken[: len(shaken) // 3] + rng.normal(0, 2, (len(shaken) // 3, 4))
        start = rng.uniform(0, 200, (3, 2))
        extra = np.concatenate((start, start + rng.uniform(5, 90, (3, 2))), 1)
        guess = np.where(rng.random(int(kept.sum())) < 0.9, label[kept], 1 - label[kept])
        names = np.concatenate((guess, guess[: len(twice)], rng.integers(0, 2, 3)))
        boxes = np.concatenate((shaken, twice, extra)).astype(np.float32)
        detections.append(Detections(boxes, rng.random(len(boxes)).astype(np.float32), names.astype(np.int64)))
    return truth_from(rows, crowd=marked), detections


def pycoco(
    truth: Truth,
    detections: Sequence[Detections],
    *,
    label: int | None = None,
    pictures: Sequence[int] | None = None,
) -> COCOeval:
    """The reference implementation, run; on one class or on some pictures only where given."""
    with contextlib.redirect_stdout(io.StringIO()):
        dataset = COCO()
        dataset.dataset = coco_dataset(truth)
        dataset.createIndex()
        evaluation = COCOeval(dataset, dataset.loadRes(coco_results(detections)), "bbox")
        if label is not None:
            evaluation.params.catIds = [label + 1]
        if pictures is not None:
            evaluation.params.imgIds = [index + 1 for index in pictures]
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation
