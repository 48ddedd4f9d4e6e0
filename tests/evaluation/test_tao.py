"""TAO's AP on cases computed by hand from DetectNet_v2's rules, its oddities included."""

import itertools

import numpy as np
import pytest

from netwright.errors import UserError
from netwright.evaluation.detections import Detections
from netwright.evaluation.evaluation import Evaluation, evaluate
from netwright.evaluation.pascal_voc import pascal_voc
from netwright.evaluation.tao import BoxSizes, tao
from netwright.evaluation.truth import Truth
from tests.evaluation.scenes import Box, found, random_scene, truth_from

A: Box = (10, 10, 29, 29)
B: Box = (50, 50, 69, 69)
FAR: Box = (200, 200, 219, 219)
CATS = ("cat",)
HALF = {"cat": 0.5}


def _row(count: int, hits: int) -> Evaluation:
    """``count`` boxes of which the first ``hits`` are found, no false alarm."""
    boxes = [(0, (20.0 * index, 0.0, 20.0 * index + 9, 9.0)) for index in range(count)]
    return evaluate(truth_from([boxes], classes=CATS), [found(*((0, 0.9, box) for _, box in boxes[:hits]))])


def test_two_of_three_found_a_double_and_a_false_alarm() -> None:
    """Right, double, right, wrong: precision 1, 1/2, 2/3, 1/2 at recall 1/3, 1/3, 2/3, 2/3."""
    truth = truth_from([[(0, A), (0, B)], [(0, A)]], classes=CATS)
    first = found((0, 0.9, A), (0, 0.8, A), (0, 0.6, FAR))
    ours = tao(evaluate(truth, [first, found((0, 0.7, A))]), iou=HALF)
    assert ours.sample == {"cat": pytest.approx((4 * 1 + 3 * 2 / 3) / 11)}
    assert ours.integrate == {"cat": pytest.approx(1 / 3)}  # from recall 1/3 to 2/3 at the best before 2/3: 1


def test_integrate_heights_are_the_best_from_the_lower_recall_on_but_not_of_the_last() -> None:
    """Wrong, right, right, right of 4: recall 0, 1/4, 1/2, 3/4 with precision 0, 1/2, 2/3, 3/4."""
    boxes = [(0, (20.0 * index, 0.0, 20.0 * index + 9, 9.0)) for index in range(4)]
    hits = [(0, 0.8 - index / 10, box) for index, (_, box) in enumerate(boxes[:3])]
    run = evaluate(truth_from([boxes], classes=CATS), [found((0, 0.9, FAR), *hits)])
    assert tao(run, iou=HALF).integrate["cat"] == pytest.approx(3 * 1 / 4 * 2 / 3)
    assert pascal_voc(run).ap["cat"] == pytest.approx(3 / 4 * 3 / 4)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_perfect_detector_scores_1_by_sample_and_misses_the_first_strip_by_integrate(count: int) -> None:
    ours = tao(_row(count, count), iou=HALF)
    assert (ours.map_sample, ours.map_integrate) == pytest.approx((1, (count - 1) / count))


def test_a_recall_of_exactly_three_tenths_misses_the_fourth_point() -> None:
    assert tao(_row(10, 3), iou=HALF).sample["cat"] == pytest.approx(3 / 11)


def test_corners_are_rounded_half_to_even_and_border_pixels_belong_to_the_box() -> None:
    truth = truth_from([[(0, (0.5, 1.5, 9.4, 9.6))]], classes=CATS)  # to 0, 2, 9, 10: 10 x 9
    run = evaluate(truth, [found((0, 0.9, (0.4, 2.4, 9.0, 10.4)))])  # to the same
    assert tao(run, iou={"cat": 1.0}).map_sample == 1
    half = evaluate(truth_from([[(0, (0, 0, 9, 9))]], classes=CATS), [found((0, 0.9, (0, 0, 9, 4)))])
    assert tao(half, iou=HALF).map_sample == 1
    assert tao(half, iou={"cat": 0.51}).map_sample == 0


def test_each_class_has_an_iou_of_its_own() -> None:
    whole: Box = (0, 0, 9, 9)
    part: Box = (0, 0, 9, 5)  # 0.6
    truth = truth_from([[(0, whole), (1, whole)]], classes=("cat", "dog"))
    ours = tao(evaluate(truth, [found((0, 0.9, part), (1, 0.9, part))]), iou={"cat": 0.5, "dog": 0.7})
    assert (ours.sample, ours.map_sample) == ({"cat": 1, "dog": 0}, 0.5)


def test_boxes_and_detections_outside_the_sizes_are_left_out() -> None:
    small: Box = (100, 100, 105, 105)  # 5 wide by corners, before rounding and borders
    truth = truth_from([[(0, A), (0, small)]], classes=CATS)
    run = evaluate(truth, [found((0, 0.9, (300, 200, 303, 203)), (0, 0.8, A))])
    assert tao(run, iou=HALF).map_sample < 0.5
    assert tao(run, iou=HALF, sizes={"cat": BoxSizes(min_width=5.1)}).map_sample == 1
    assert tao(run, iou=HALF, sizes={"cat": BoxSizes(min_width=5, min_height=4)}).map_sample == pytest.approx(6 / 11)
    assert tao(run, iou=HALF, sizes={"cat": BoxSizes(max_height=10)}).map_sample == 0


def test_difficult_and_crowd_boxes_count() -> None:
    truth = truth_from([[(0, A), (0, B)]], classes=CATS, difficult=[(0, 1)])
    assert tao(evaluate(truth, [found((0, 0.9, A))]), iou=HALF).sample["cat"] == pytest.approx(6 / 11)


def test_a_class_without_a_box_counts_as_zero_in_the_mean() -> None:
    ours = tao(
        evaluate(truth_from([[(0, A)]]), [found((0, 0.9, A), (2, 0.9, B))]),
        iou=dict.fromkeys(("cat", "dog", "bird"), 0.5),
    )
    assert ours.sample == {"cat": 1, "dog": 0, "bird": 0}
    assert ours.map_sample == pytest.approx(1 / 3)


def test_a_class_without_an_iou_is_refused() -> None:
    with pytest.raises(UserError, match="dog, bird has none"):
        tao(evaluate(truth_from([[(0, A)]]), [found()]), iou=HALF)


def test_without_detections_or_pictures_it_is_zero() -> None:
    for truth in (truth_from([[(0, A)]], classes=CATS), truth_from([], classes=CATS)):
        ours = tao(evaluate(truth, [found()] * len(truth)), iou=HALF)
        assert (ours.map_sample, ours.map_integrate) == (0, 0)


def _slow(truth: Truth, detections: list[Detections], label: int, iou: float) -> tuple[float, float]:
    """Both modes by plain loops over one detection, one box and one recall at a time."""
    known = [
        [[round(float(x)) for x in box] for box, name in zip(*row, strict=True) if name == label]
        for row in zip(truth.boxes, truth.labels, strict=True)
    ]
    rows = [
        (float(score), at, [round(float(x)) for x in box])
        for at, found_here in enumerate(detections)
        for box, score, name in zip(found_here.boxes, found_here.scores, found_here.labels, strict=True)
        if name == label
    ]
    taken: set[tuple[int, int]] = set()
    precision, recall, right = [], [], 0
    for rank, (_, at, box) in enumerate(sorted(rows, key=lambda row: -row[0]), start=1):
        overlaps = [_iou(box, own) for own in known[at]]
        best = max(range(len(overlaps)), key=overlaps.__getitem__) if overlaps else -1
        if best >= 0 and overlaps[best] >= iou and (at, best) not in taken:
            taken.add((at, best))
            right += 1
        precision.append(right / rank)
        recall.append(right / sum(map(len, known)))
    pairs = list(zip(recall, precision, strict=True))
    sample = sum(max((p for r, p in pairs if r >= point), default=0.0) for point in np.linspace(0, 1, 11)) / 11
    steps = sorted(set(recall))
    area = 0.0
    for low, high in itertools.pairwise(steps):
        area += (high - low) * max(p for r, p in pairs if low <= r < steps[-1])
    return sample, area


def _iou(first: list[int], second: list[int]) -> float:
    width = max(0, min(first[2], second[2]) - max(first[0], second[0]) + 1)
    height = max(0, min(first[3], second[3]) - max(first[1], second[1]) + 1)
    areas = [(box[2] - box[0] + 1) * (box[3] - box[1] + 1) for box in (first, second)]
    return width * height / (sum(areas) - width * height)


@pytest.mark.parametrize("seed", range(4))
def test_random_scenes_equal_plain_loops(seed: int) -> None:
    truth, detections = random_scene(seed)
    overlaps = {"cat": 0.5, "dog": 0.7, "bird": 0.5}
    ours = tao(evaluate(truth, detections), iou=overlaps)
    for label, name in enumerate(("cat", "dog")):
        expected = _slow(truth, detections, label, overlaps[name])
        assert (ours.sample[name], ours.integrate[name]) == pytest.approx(expected, abs=1e-12)
