"""COCO accuracy against pycocotools, the reference implementation, and hand-computed cases."""

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from netwright.data.feeding.pictures import PictureSet
from netwright.data.feeding.preprocess import fit_geometry
from netwright.evaluation.coco import coco_accuracy, coco_results, coco_truth
from netwright.evaluation.detections import Detections
from netwright.types import InputSpec

CLASSES = ("cat", "dog", "bird")


def _pictures(boxes: list[np.ndarray], labels: list[np.ndarray]) -> PictureSet:
    count = len(boxes)
    geometry = fit_geometry(400, 300, InputSpec(height=64, width=64))
    return PictureSet(
        names=tuple(f"picture{index}" for index in range(count)),
        pixels=np.zeros((count, 3, 64, 64), dtype=np.uint8),
        geometries=(geometry,) * count,
        boxes=tuple(rows.astype(np.float32) for rows in boxes),
        labels=tuple(rows.astype(np.int64) for rows in labels),
        classes=CLASSES,
    )


def _random_case(seed: int) -> tuple[PictureSet, list[Detections]]:
    """Truth, and detections that are the truth shaken, some missed, some invented."""
    rng = np.random.default_rng(seed)
    boxes, labels, found = [], [], []
    for _ in range(30):
        count = int(rng.integers(0, 8))
        corner = rng.uniform(0, 250, (count, 2))
        own = np.concatenate((corner, corner + rng.uniform(5, 120, (count, 2))), 1)
        name = rng.integers(0, 2, count)  # class 2 never occurs
        kept = rng.random(count) < 0.8
        shaken = own[kept] + rng.normal(0, 6, (int(kept.sum()), 4))
        extra = np.sort(rng.uniform(0, 290, (3, 2, 2)), 1).reshape(3, 4)
        guess = np.where(rng.random(int(kept.sum())) < 0.9, name[kept], 1 - name[kept])
        scores = rng.random(len(shaken) + 3).astype(np.float32)
        boxes.append(own)
        labels.append(name)
        found.append(
            Detections(
                np.concatenate((shaken, extra)).astype(np.float32),
                scores,
                np.concatenate((guess, rng.integers(0, 3, 3))).astype(np.int64),
            )
        )
    return _pictures(boxes, labels), found


@pytest.mark.parametrize("seed", range(4))
def test_accuracy_equals_pycocotools(seed: int) -> None:
    pictures, found = _random_case(seed)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = coco_truth(pictures)
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(coco_results(found)), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    ours = coco_accuracy(pictures, found)
    assert ours.map50_95 == pytest.approx(evaluation.stats[0], abs=1e-9)
    assert ours.map50 == pytest.approx(evaluation.stats[1], abs=1e-9)
    precision = evaluation.eval["precision"][:, :, :, 0, -1]
    assert set(ours.per_class) == {"cat", "dog"}
    for index, name in enumerate(("cat", "dog")):
        assert ours.per_class[name] == pytest.approx(precision[:, :, index].mean(), abs=1e-9)
        assert ours.per_class50[name] == pytest.approx(precision[0, :, index].mean(), abs=1e-9)


def test_perfect_detections_score_one() -> None:
    boxes, labels = np.array([[10, 10, 60, 80], [100, 50, 180, 90]]), np.array([0, 2])
    pictures = _pictures([boxes], [labels])
    found = [Detections(boxes.astype(np.float32), np.array([0.9, 0.8], dtype=np.float32), labels)]
    accuracy = coco_accuracy(pictures, found)
    assert accuracy.map50_95 == pytest.approx(1.0)
    assert accuracy.map50 == pytest.approx(1.0)
    assert accuracy.per_class == {"cat": pytest.approx(1.0), "bird": pytest.approx(1.0)}


def test_no_detection_scores_zero_for_every_class_with_truth() -> None:
    pictures = _pictures([np.array([[10, 10, 60, 80]])], [np.array([1])])
    nothing = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
    accuracy = coco_accuracy(pictures, [nothing])
    assert (accuracy.map50_95, accuracy.map50, accuracy.per_class) == (0.0, 0.0, {"dog": 0.0})
