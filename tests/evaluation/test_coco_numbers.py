"""The twelve numbers against pycocotools; what is empty or broken has a defined result."""

from dataclasses import astuple

import numpy as np
import pytest

from netwright.evaluation.coco_numbers import class_numbers, coco_numbers
from netwright.evaluation.detections import Detections
from netwright.evaluation.evaluation import evaluate
from tests.evaluation.scenes import found, pycoco, random_scene, truth_from

BOX = (10.0, 10.0, 60.0, 80.0)
NONE = (None,) * 12


def _expected(stats: np.ndarray) -> list[object]:
    return [None if value == -1 else pytest.approx(value, abs=1e-9) for value in stats]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("crowds", [False, True])
def test_the_twelve_equal_pycocotools_overall_and_for_each_class(seed: int, crowds: bool) -> None:
    truth, detections = random_scene(seed, crowds=crowds)
    evaluation = evaluate(truth, detections)
    assert list(astuple(coco_numbers(evaluation))) == _expected(pycoco(truth, detections).stats)
    per_class = class_numbers(evaluation)
    assert list(per_class) == ["cat", "dog", "bird"]
    for label, numbers in enumerate(per_class.values()):
        assert list(astuple(numbers)) == _expected(pycoco(truth, detections, label=label).stats)


def test_a_class_without_a_single_box_has_no_numbers_and_does_not_pull_the_mean() -> None:
    evaluation = evaluate(truth_from([[(0, BOX)]]), [found((0, 0.9, BOX), (2, 0.8, (200, 200, 240, 240)))])
    assert astuple(class_numbers(evaluation)["bird"]) == NONE
    assert coco_numbers(evaluation).ap == pytest.approx(1)


def test_without_detections_every_number_with_truth_is_zero() -> None:
    numbers = coco_numbers(evaluate(truth_from([[(0, BOX)], []]), [found(), found()]))
    assert (numbers.ap, numbers.ar100, numbers.ap_medium, numbers.ap_small) == (0, 0, 0, None)


@pytest.mark.parametrize("pictures", [[], [[]], [[], []]])
def test_without_truth_there_are_no_numbers(pictures: list[list[object]]) -> None:
    for detections in ([found() for _ in pictures], [found((0, 0.9, BOX)) for _ in pictures]):
        assert astuple(coco_numbers(evaluate(truth_from(pictures), detections))) == NONE  # type: ignore[arg-type]


def test_a_picture_without_truth_counts_by_its_false_alarms() -> None:
    truth = truth_from([[(0, BOX)], []])
    clean = coco_numbers(evaluate(truth, [found((0, 0.5, BOX)), found()]))
    alarmed = coco_numbers(evaluate(truth, [found((0, 0.5, BOX)), found((0, 0.9, BOX))]))
    assert clean.ap == pytest.approx(1)
    assert alarmed.ap == pytest.approx(0.5)


@pytest.mark.parametrize("score", [np.nan, np.inf, -np.inf])
def test_a_detection_without_a_finite_score_is_not_there(score: float) -> None:
    truth = truth_from([[(0, BOX)]])
    with_it = evaluate(truth, [found((0, score, BOX), (0, 0.5, BOX))])
    assert coco_numbers(with_it) == coco_numbers(evaluate(truth, [found((0, 0.5, BOX))]))
    assert coco_numbers(evaluate(truth, [found((0, score, BOX))])).ap == 0


@pytest.mark.parametrize(
    "box", [(np.nan, 10, 60, 80), (10, 10, np.inf, 80), (-np.inf, 10, 60, 80), (60, 10, 10, 80), (10, 80, 60, 10)]
)
def test_a_box_that_is_none_is_a_false_alarm(box: tuple[float, float, float, float]) -> None:
    truth = truth_from([[(0, BOX)]])
    assert coco_numbers(evaluate(truth, [found((0, 0.9, box))])).ap == 0
    assert coco_numbers(evaluate(truth, [found((0, 0.9, box), (0, 0.5, BOX))])).ap == pytest.approx(0.5)


def test_a_box_of_no_size_is_a_false_alarm() -> None:
    evaluation = evaluate(truth_from([[(0, BOX)]]), [found((0, 0.9, (20, 20, 20, 20)), (0, 0.5, BOX))])
    assert coco_numbers(evaluation).ap == pytest.approx(0.5)


def test_at_most_100_detections_of_a_class_count_in_a_picture() -> None:
    many = [(0, 0.9 - index / 1000, (200.0, 200.0, 240.0, 240.0)) for index in range(100)]
    numbers = coco_numbers(evaluate(truth_from([[(0, BOX)]]), [found(*many, (0, 0.1, BOX))]))
    assert numbers.ap == 0


def test_what_does_not_fit_together_is_refused() -> None:
    truth = truth_from([[(0, BOX)], []])
    with pytest.raises(ValueError, match="1 entries of detections for 2 pictures"):
        evaluate(truth, [found()])
    for label in (-1, 3):
        with pytest.raises(ValueError, match=r"picture1.*none of 3"):
            evaluate(truth, [found(), found((label, 0.9, BOX))])


def test_sound_detections_are_kept_as_they_are() -> None:
    given = found((0, 0.9, BOX), (1, 0.0, (0, 0, 0, 0)))
    kept = given.sound()
    assert np.array_equal(kept.boxes, given.boxes)
    assert np.array_equal(kept.scores, given.scores)
    empty = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
    assert empty.sound().boxes.shape == (0, 4)
