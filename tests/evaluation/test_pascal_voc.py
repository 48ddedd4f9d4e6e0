"""Pascal VOC's AP on cases computed by hand, and on random scenes against loops written from the kit's rules."""

import numpy as np
import pytest

from netwright.evaluation.best_overlap import inclusive_iou
from netwright.evaluation.coco_numbers import coco_numbers
from netwright.evaluation.detections import Detections
from netwright.evaluation.evaluation import evaluate
from netwright.evaluation.pascal_voc import pascal_voc
from netwright.evaluation.truth import Truth
from tests.evaluation.scenes import Box, found, random_scene, truth_from

A: Box = (10, 10, 29, 29)
B: Box = (50, 50, 69, 69)
FAR: Box = (200, 200, 219, 219)
CATS = ("cat",)


def test_two_of_three_found_a_double_and_a_false_alarm() -> None:
    """Right, double, right, wrong: precision 1, 1/2, 2/3, 1/2 at recall 1/3, 1/3, 2/3, 2/3."""
    truth = truth_from([[(0, A), (0, B)], [(0, A)]], classes=CATS)
    first = found((0, 0.9, A), (0, 0.8, A), (0, 0.6, FAR))
    ours = pascal_voc(evaluate(truth, [first, found((0, 0.7, A))]))
    assert ours.ap == {"cat": pytest.approx(1 / 3 * 1 + 1 / 3 * 2 / 3)}
    assert ours.ap07 == {"cat": pytest.approx((4 * 1 + 3 * 2 / 3) / 11)}  # recalls 0 to 0.3 and 0.4 to 0.6
    assert (ours.map, ours.map07) == (ours.ap["cat"], ours.ap07["cat"])


def test_border_pixels_belong_to_the_box() -> None:
    half: Box = (0, 0, 9, 4)  # 10 x 5 of 10 x 10 pixels: IoU 0.5, and 0.44 by corner distances
    whole = np.array([[0, 0, 9, 9]], float)
    assert inclusive_iou(np.array([half], float), whole).item() == pytest.approx(0.5)
    assert inclusive_iou(np.array([[10, 0, 19, 9]], float), whole).item() == 0
    run = evaluate(truth_from([[(0, (0, 0, 9, 9))]], classes=CATS), [found((0, 0.9, half))])
    assert pascal_voc(run).map == 1  # an overlap of exactly the threshold is enough
    assert pascal_voc(run, iou=0.51).map == 0
    assert coco_numbers(run).ap50 == 0


def test_a_detection_counts_only_for_the_box_that_it_overlaps_most() -> None:
    truth = truth_from([[(0, (0, 0, 9, 9)), (0, (0, 0, 9, 11))]], classes=CATS)
    run = evaluate(truth, [found((0, 0.9, (0, 0, 9, 9)), (0, 0.8, (0, 0, 9, 9)))])
    assert pascal_voc(run).ap["cat"] == pytest.approx(0.5)  # the second find is a double
    assert coco_numbers(run).ap50 == pytest.approx(1)  # COCO gives it the free neighbour


@pytest.mark.parametrize("kind", ["difficult", "crowd"])
def test_difficult_boxes_neither_count_nor_harm(kind: str) -> None:
    truth = truth_from([[(0, A), (0, B)]], classes=CATS, **{kind: [(0, 1)]})
    ours = pascal_voc(evaluate(truth, [found((0, 0.9, B), (0, 0.8, B), (0, 0.7, A))]))
    assert ours.map == 1
    assert pascal_voc(evaluate(truth, [found((0, 0.7, A))])).map07 == 1


def test_a_kept_crowd_is_a_box_like_any_and_a_difficult_box_stays_one() -> None:
    """What the benchmark, certificates and comparisons count."""
    truth = truth_from([[(0, A), (0, B), (0, FAR)]], classes=CATS, difficult=[(0, 1)], crowd=[(0, 2)])
    run = evaluate(truth.with_crowds_as_boxes(), [found((0, 0.9, A))])
    assert pascal_voc(run).ap["cat"] == 0.5  # of A and FAR
    assert coco_numbers(run).ap50 == pytest.approx(34 / 101)  # of A, B and FAR: recalls 0 to 0.33


def test_a_recall_of_exactly_three_tenths_reaches_the_fourth_point() -> None:
    boxes = [(0, (20.0 * index, 0.0, 20.0 * index + 9, 9.0)) for index in range(10)]
    run = evaluate(truth_from([boxes], classes=CATS), [found(*((0, 0.9, box) for _, box in boxes[:3]))])
    assert pascal_voc(run).ap07["cat"] == pytest.approx(4 / 11)


def test_means_run_over_classes_with_a_box_that_counts() -> None:
    truth = truth_from([[(0, A), (1, B)]], difficult=[(0, 1)])
    ours = pascal_voc(evaluate(truth, [found((0, 0.9, A), (2, 0.8, FAR), (1, 0.9, FAR))]))
    assert (ours.ap, ours.map) == ({"cat": 1}, 1)


def test_without_truth_or_detections() -> None:
    empty = pascal_voc(evaluate(truth_from([[]]), [found((0, 0.9, A))]))
    assert (empty.ap, empty.ap07, empty.map, empty.map07) == ({}, {}, None, None)
    assert pascal_voc(evaluate(truth_from([]), [])).map is None
    nothing = pascal_voc(evaluate(truth_from([[(1, A)]]), [found()]))
    assert (nothing.ap, nothing.map07) == ({"dog": 0}, 0)


def _kit(truth: Truth, detections: list[Detections], label: int) -> float:
    """VOCevaldet.m's loops, one detection and one box at a time, and the area of VOC 2010."""
    taken = {(at, j): False for at in range(len(truth)) for j in range(len(truth.boxes[at]))}
    rows = [
        (-float(score), at, box)
        for at, found_here in enumerate(detections)
        for box, score, name in zip(found_here.boxes.astype(float), found_here.scores, found_here.labels, strict=True)
        if name == label
    ]
    hits = []
    for _, at, box in sorted(rows, key=lambda row: row[0]):
        best, where = -1.0, -1
        for j, known in enumerate(truth.boxes[at].astype(float)):
            width = min(box[2], known[2]) - max(box[0], known[0]) + 1
            height = min(box[3], known[3]) - max(box[1], known[1]) + 1
            if truth.labels[at][j] != label or width <= 0 or height <= 0:
                continue
            areas = [(b[2] - b[0] + 1) * (b[3] - b[1] + 1) for b in (box, known)]
            overlap = width * height / (sum(areas) - width * height)
            if overlap > best:
                best, where = overlap, j
        hits.append(best >= 0.5 and not taken[at, where])
        if best >= 0.5:
            taken[at, where] = True
    positives = sum(int((labels == label).sum()) for labels in truth.labels)
    recall = [0.0, *np.cumsum(hits) / positives, 1.0]
    precision = [0.0, *np.cumsum(hits) / np.arange(1, len(hits) + 1), 0.0]
    for i in range(len(precision) - 2, -1, -1):
        precision[i] = max(precision[i], precision[i + 1])
    return sum((recall[i] - recall[i - 1]) * precision[i] for i in range(1, len(recall)) if recall[i] != recall[i - 1])


@pytest.mark.parametrize("seed", range(4))
def test_random_scenes_equal_the_kits_loops(seed: int) -> None:
    truth, detections = random_scene(seed)
    ours = pascal_voc(evaluate(truth, detections))
    for label, name in enumerate(("cat", "dog")):
        assert ours.ap[name] == pytest.approx(_kit(truth, detections, label), abs=1e-12)
