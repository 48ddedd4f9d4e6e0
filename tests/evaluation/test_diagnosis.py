"""Confusion, curves, calibration, slices, worst pictures and spread: by hand, and against slow independent ways."""

import math
from dataclasses import astuple

import numpy as np
import pytest

from netwright.errors import UserError
from netwright.evaluation.border import AtBorder, BorderErrors, border_errors
from netwright.evaluation.calibration import calibration
from netwright.evaluation.confusion import confusion_matrix
from netwright.evaluation.detections import Detections
from netwright.evaluation.evaluation import evaluate
from netwright.evaluation.iou_thresholds import IOU_THRESHOLDS, iou_index
from netwright.evaluation.precision_recall import precision_recall
from netwright.evaluation.slices import by_crowding, by_group, slice_accuracy
from netwright.evaluation.spread import spread
from netwright.evaluation.truth import Truth
from netwright.evaluation.worst import worst_pictures
from tests.evaluation.scenes import Box, found, pycoco, random_scene, truth_from

A: Box = (10, 10, 60, 60)
B: Box = (100, 100, 180, 180)
FAR: Box = (300, 200, 340, 240)


def test_confusion_by_hand() -> None:
    """A cat found as dog, a dog found twice, a bird missed, a false alarm, and a weak one not looked at."""
    truth = truth_from([[(0, A), (1, B)], [(2, A)]])
    first = found((1, 0.9, A), (1, 0.8, B), (1, 0.7, B), (0, 0.6, FAR), (0, 0.2, A))
    matrix = confusion_matrix(evaluate(truth, [first, found()]))
    assert matrix.counts.tolist() == [[0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [1, 1, 0, 0]]
    assert matrix.missed.tolist() == [0, 0, 1]
    assert matrix.false_alarms.tolist() == [1, 1, 0]


@pytest.mark.parametrize("score", [0.1, 0.3, 0.7])
def test_a_detection_of_exactly_the_score_is_shown_by_all_that_take_one(score: float) -> None:
    """Detections are float32, where 0.7 is a hair below Python's."""
    run = evaluate(truth_from([[(0, A)]]), [found((0, score, A))])
    assert confusion_matrix(run, score=score).counts[0].tolist() == [1, 0, 0, 0]
    assert worst_pictures(run, score=score) == []
    assert border_errors(run, score=score)["cat"].missed.count == 0


def test_errors_at_the_border_by_hand() -> None:
    """Pictures of 400x300, where 3 pixels off is at the border: a cat cut by the left is missed; two false dogs."""
    cut: Box = (2, 100, 40, 160)
    truth = truth_from([[(0, cut), (0, A)], [(0, B)]], crowd=[(1, 0)])
    first = found((0, 0.9, A), (1, 0.8, (360, 100, 398, 150)), (1, 0.7, (360, 100, 396, 150)), (1, 0.1, cut))
    errors = border_errors(evaluate(truth, [first, found((0, 0.9, B))]))
    assert list(errors) == ["cat", "dog"]
    assert errors["cat"] == BorderErrors(
        boxes=AtBorder(count=2, at_border=1),
        missed=AtBorder(count=1, at_border=1),
        false_alarms=AtBorder(count=0, at_border=0),
    )
    assert errors["dog"].false_alarms == AtBorder(count=2, at_border=1)
    assert errors["dog"].boxes.share is None
    assert errors["cat"].boxes.share == 0.5


def _iou(first: np.ndarray, second: np.ndarray) -> float:
    low, high = np.maximum(first[:2], second[:2]), np.minimum(first[2:], second[2:])
    common = float(np.clip(high - low, 0, None).prod())
    return common / (float((first[2:] - first[:2]).prod()) + float((second[2:] - second[:2]).prod()) - common)


def _slow_confusion(truth: Truth, detections: list[Detections], score: float) -> np.ndarray:
    counts = np.zeros((len(truth.classes) + 1,) * 2, dtype=np.int64)
    for boxes, labels, row in zip(truth.boxes, truth.labels, detections, strict=True):
        free = list(range(len(boxes)))
        for at in np.argsort(-row.scores, kind="stable"):
            if row.scores[at] < score:
                continue
            overlaps = {j: _iou(row.boxes[at].astype(float), boxes[j].astype(float)) for j in free}
            best = max(overlaps, key=overlaps.__getitem__) if overlaps else -1
            if overlaps and overlaps[best] >= 0.5:
                free.remove(best)
                counts[labels[best], row.labels[at]] += 1
            else:
                counts[-1, row.labels[at]] += 1
        for j in free:
            counts[labels[j], -1] += 1
    return counts


@pytest.mark.parametrize("seed", range(3))
def test_confusion_equals_plain_loops_and_its_rows_add_up_to_the_truth(seed: int) -> None:
    truth, detections = random_scene(seed)
    counts = confusion_matrix(evaluate(truth, detections), score=0.3).counts
    assert counts.tolist() == _slow_confusion(truth, detections, 0.3).tolist()
    assert counts[:-1].sum() == sum(len(labels) for labels in truth.labels)


@pytest.mark.parametrize("iou", [0.5, 0.75])
def test_curves_equal_pycocotools(iou: float) -> None:
    truth, detections = random_scene(4)
    ours, theirs = precision_recall(evaluate(truth, detections), iou=iou), pycoco(truth, detections).eval
    assert list(ours) == ["cat", "dog"]
    for label, curve in enumerate(ours.values()):
        expected = theirs["precision"][iou_index(iou), :, label, 0, -1]
        assert curve.precision == pytest.approx(expected, abs=1e-9)
        assert curve.scores[expected > 0] == pytest.approx(
            theirs["scores"][iou_index(iou), :, label, 0, -1][expected > 0], abs=1e-9
        )
        f1 = 2 * expected * curve.recall / np.maximum(expected + curve.recall, 1e-12)
        assert curve.best_f1 == pytest.approx(f1.max())


def test_the_best_score_separates_right_from_wrong() -> None:
    truth = truth_from([[(0, A), (0, B)]])
    curve = precision_recall(evaluate(truth, [found((0, 0.9, A), (0, 0.6, B), (0, 0.5, FAR))]))["cat"]
    assert (curve.best_f1, curve.best_score) == pytest.approx((1, 0.6))
    nothing = precision_recall(evaluate(truth, [found()]))["cat"]
    assert (nothing.best_f1, nothing.best_score, nothing.precision.sum()) == (0, 0, 0)
    assert precision_recall(evaluate(truth_from([[]]), [found((0, 0.9, A))])) == {}


def test_only_cocos_thresholds_are_known() -> None:
    assert [iou_index(iou) for iou in IOU_THRESHOLDS] == list(range(10))
    with pytest.raises(ValueError, match=r"0\.52 is none of 0\.50"):
        iou_index(0.52)


def test_calibration_by_hand() -> None:
    """Scores 0.95 and 0.85 right, 0.65 wrong, 0.15 wrong, each alone in its bin."""
    truth = truth_from([[(0, A), (1, B)]])
    rows = found((0, 0.95, A), (1, 0.85, B), (0, 0.65, FAR), (1, 0.15, FAR))
    ours = calibration(evaluate(truth, [rows]))
    assert ours.error == pytest.approx((0.05 + 0.15 + 0.65 + 0.15) / 4, abs=1e-6)
    assert ours.worst == pytest.approx(0.65, abs=1e-6)
    assert ours.per_class == {"cat": pytest.approx(0.35, abs=1e-6), "dog": pytest.approx(0.15, abs=1e-6)}
    assert (ours.count, len(ours.bins)) == (4, 10)
    assert astuple(ours.bins[9]) == pytest.approx((0.9, 1.0, 1, 0.95, 1.0), abs=1e-6)


def test_calibration_of_many_equals_a_histogram() -> None:
    truth, detections = random_scene(6)
    ours = calibration(evaluate(truth, detections), bins=7, iou=0.75)
    run = pycoco(truth, detections)
    cells = [cell for cell in run.evalImgs if cell is not None and cell["aRng"] == [0, 1e5**2]]
    scores = np.concatenate([cell["dtScores"] for cell in cells])
    right = np.concatenate([cell["dtMatches"][5] > 0 for cell in cells])
    where = np.minimum((scores * 7).astype(int), 6)
    gaps = [abs(right[where == b].mean() - scores[where == b].mean()) * (where == b).mean() for b in np.unique(where)]
    assert ours.error == pytest.approx(sum(gaps), abs=1e-9)
    assert ours.count == len(scores)


def test_calibration_without_detections_is_zero_and_logits_are_refused() -> None:
    truth = truth_from([[(0, A)]])
    assert (calibration(evaluate(truth, [found()])).error, calibration(evaluate(truth, [found()])).per_class) == (0, {})
    with pytest.raises(UserError, match=r"picture 'picture0' has -0.5 to 7.*not logits"):
        calibration(evaluate(truth, [found((0, 7, A), (0, -0.5, B))]))


def test_slices_equal_pycocotools_on_the_pictures_alone() -> None:
    truth, detections = random_scene(7)
    slices = {"even": range(0, 30, 2), "_overall": [3, 4, 5], "all": range(30)}
    ours = slice_accuracy(evaluate(truth, detections), slices)
    for name, pictures in slices.items():
        stats = pycoco(truth, detections, pictures=pictures).stats
        assert (ours[name].map50_95, ours[name].map50) == pytest.approx((stats[0], stats[1]), abs=1e-9)
        assert ours[name].pictures == len(pictures)
        assert ours[name].boxes == sum(len(truth.labels[index]) for index in pictures)


def test_slices_without_pictures_or_truth_have_no_accuracy() -> None:
    run = evaluate(truth_from([[(0, A)], []]), [found((0, 0.9, A)), found()])
    ours = slice_accuracy(run, {"none": [], "blank": [1], "full": [0]})
    assert [row.map50 for row in ours.values()] == [None, None, pytest.approx(1)]
    assert slice_accuracy(run, {}) == {}


def test_slices_by_group_and_by_crowding() -> None:
    counts = [0, 1, 3, 4, 5, 10, 25, 1]
    truth = truth_from([[(0, A)] * count for count in counts], groups=["b", "a", "", "a", "", "c", "c", "b"])
    assert by_group(truth) == {"a": [1, 3], "b": [0, 7], "c": [5, 6], "no group": [2, 4]}
    assert by_crowding(truth) == {
        "no box": [0],
        "1 box": [1, 7],
        "2 to 4 boxes": [2, 3],
        "5 to 9 boxes": [4],
        "10 to 19 boxes": [5],
        "20 boxes and more": [6],
    }


def test_worst_pictures_come_by_f1_then_errors_then_name() -> None:
    right, wrong = (0, 0.9, A), (0, 0.8, FAR)
    truth = truth_from([[(0, A)], [(0, A)], [(0, A), (0, B)], [], [(0, A)], [(0, A)], []])
    detections = [
        found(right),
        found(right, wrong),
        found(),
        found(wrong),
        found((0, 0.1, A)),
        found((1, 0.9, A)),
        found(),
    ]
    ours = worst_pictures(evaluate(truth, detections))
    assert [(row.name, row.f1, row.found, row.missed, row.false_alarms) for row in ours] == [
        ("picture2", 0, 0, 2, 0),
        ("picture5", 0, 0, 1, 1),
        ("picture3", 0, 0, 0, 1),
        ("picture4", 0, 0, 1, 0),
        ("picture1", pytest.approx(2 / 3), 1, 0, 1),
    ]
    assert [row.name for row in worst_pictures(evaluate(truth, detections), count=1)] == ["picture2"]
    assert worst_pictures(evaluate(truth_from([[]]), [found()])) == []


def test_spread_over_seeds() -> None:
    ours = spread([0.5, 0.6, 0.7, 0.6])
    assert (ours.mean, ours.low, ours.high, ours.count) == pytest.approx((0.6, 0.5, 0.7, 4))
    assert ours.deviation == pytest.approx(math.sqrt(0.02 / 3))
    assert spread([0.4]).deviation is None
    for values in ([], [0.5, math.nan], [math.inf]):
        with pytest.raises(ValueError, match="finite values"):
            spread(values)
