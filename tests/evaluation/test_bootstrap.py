"""The paired bootstrap against the slow way: COCOeval run again on the pictures as they were drawn."""

from dataclasses import replace

import numpy as np
import pytest

from netwright.errors import UserError
from netwright.evaluation.bootstrap import class_bootstrap, drawn_units, paired_bootstrap
from netwright.evaluation.coco_numbers import class_numbers, coco_numbers
from netwright.evaluation.detections import Detections
from netwright.evaluation.draws import draw_pictures
from netwright.evaluation.evaluation import evaluate
from netwright.evaluation.matches import match_pictures, weighted_accuracy
from netwright.evaluation.truth import Truth
from tests.evaluation.scenes import found, pycoco, random_scene, truth_from

BOX = (10.0, 10.0, 60.0, 80.0)


def _worse(detections: list[Detections], seed: int) -> list[Detections]:
    rng = np.random.default_rng(seed)
    shaken = [row.boxes + np.abs(rng.normal(0, 3, row.boxes.shape)) * (-1, -1, 1, 1) for row in detections]
    scores = [rng.random(len(row.scores)).astype(np.float32) for row in detections]
    return [
        Detections(boxes.astype(np.float32), score, row.labels)
        for boxes, score, row in zip(shaken, scores, detections, strict=True)
    ]


def _redrawn(truth: Truth, detections: list[Detections], weights: np.ndarray) -> tuple[Truth, list[Detections]]:
    drawn = np.repeat(np.arange(len(truth)), weights)
    return truth.take(drawn), [detections[index] for index in drawn]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("crowds", [False, True])
def test_weighted_accuracy_equals_pycocotools_on_the_repeated_pictures(seed: int, crowds: bool) -> None:
    truth, detections = random_scene(seed, crowds=crowds)
    weights = np.random.default_rng(seed).multinomial(30, np.full(30, 1 / 30), size=3)
    weights = np.vstack((np.ones((1, 30), int), weights))
    fast = weighted_accuracy(match_pictures(evaluate(truth, detections)), weights)
    for row, weight in zip(fast, weights, strict=True):
        slow = pycoco(*_redrawn(truth, detections, weight))
        precision = slow.eval["precision"][:, :, :, 0, -1]
        assert row == pytest.approx([level[level > -1].mean() for level in precision], abs=1e-9)


def test_the_interval_equals_the_slow_way() -> None:
    truth, detections = random_scene(5, pictures=15)
    others = _worse(detections, 6)
    ours = paired_bootstrap([evaluate(truth, others)], [evaluate(truth, detections)], resamples=60, seed=9)
    weights = np.random.default_rng(9).multinomial(15, np.full(15, 1 / 15), size=60)
    slow = [
        [coco_numbers(evaluate(*_redrawn(truth, rows, weight))).ap for rows in (others, detections)]
        for weight in weights
    ]
    difference = np.array(slow)[:, 1] - np.array(slow)[:, 0]
    low, high = np.quantile(difference, [0.025, 0.975])
    measured = ours.map50_95.difference
    assert (measured.low, measured.high) == pytest.approx((low, high), abs=1e-9)
    assert measured.value == pytest.approx(
        coco_numbers(evaluate(truth, detections)).ap - coco_numbers(evaluate(truth, others)).ap, abs=1e-9
    )
    assert ours.map50_95.share_better == (difference > 0).mean()
    assert (ours.map50_95.first.low, ours.map50_95.first.high) == pytest.approx(
        np.quantile(np.array(slow)[:, 0], [0.025, 0.975]), abs=1e-9
    )


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    truth, detections = random_scene(1)
    first, second = evaluate(truth, _worse(detections, 2)), evaluate(truth, detections)
    once = paired_bootstrap([first], [second], resamples=50, seed=3)
    assert once == paired_bootstrap([first], [second], resamples=50, seed=3)
    assert once != paired_bootstrap([first], [second], resamples=50, seed=4)


def test_exchanged_models_give_the_mirrored_interval() -> None:
    truth, detections = random_scene(1)
    first, second = evaluate(truth, _worse(detections, 2)), evaluate(truth, detections)
    there = paired_bootstrap([first], [second], resamples=50).map50.difference
    back = paired_bootstrap([second], [first], resamples=50).map50.difference
    assert (back.value, back.low, back.high) == pytest.approx((-there.value, -there.high, -there.low))


def test_a_model_against_itself_differs_by_nothing() -> None:
    run = evaluate(*random_scene(2))
    compared = paired_bootstrap([run], [run], resamples=50).map50_95
    assert (compared.difference.low, compared.difference.high, compared.share_better) == (0, 0, 0)
    assert compared.first.low < compared.first.value < compared.first.high


def test_runs_are_averaged_and_their_spread_widens_the_interval() -> None:
    truth, detections = random_scene(3)
    good, bad = evaluate(truth, detections), evaluate(truth, _worse(detections, 4))
    one = paired_bootstrap([good], [good], resamples=200)
    two = paired_bootstrap([good, bad], [good], resamples=200)
    mean = (coco_numbers(good).ap + coco_numbers(bad).ap) / 2
    assert two.runs == (2, 1)
    assert two.map50_95.first.value == pytest.approx(mean)
    width = two.map50_95.first.high - two.map50_95.first.low
    assert width > one.map50_95.first.high - one.map50_95.first.low


def test_the_interval_covers_the_true_value_about_as_often_as_it_says() -> None:
    """Twenty draws of 40 pictures from a world of 400: nearly all their 95 % intervals hold the world's accuracy."""
    world, detections = random_scene(8, pictures=400)
    true = coco_numbers(evaluate(world, detections)).ap
    rng, inside = np.random.default_rng(0), 0
    for _ in range(20):
        drawn = rng.choice(400, 40, replace=False)
        run = evaluate(world.take(drawn), [detections[index] for index in drawn])
        interval = paired_bootstrap([run], [run], resamples=100).map50_95.first
        inside += interval.low <= true <= interval.high
    assert inside >= 17


def test_frames_of_one_video_are_drawn_together() -> None:
    """Ten copies of each picture say no more than one of each."""
    truth, detections = random_scene(7, pictures=12)
    copies = np.repeat(np.arange(12), 10)
    frames = replace(truth.take(list(copies)), groups=tuple(f"video {index}" for index in copies))
    alone = paired_bootstrap([evaluate(truth, _worse(detections, 8))], [evaluate(truth, detections)], resamples=100)
    others = _worse(detections, 8)
    rows = [evaluate(frames, [which[index] for index in copies]) for which in (others, detections)]
    drawn = paired_bootstrap(rows[:1], rows[1:], resamples=100)
    assert (alone.pictures, alone.groups, drawn.pictures, drawn.groups) == (12, 12, 120, 12)
    assert (drawn_units(alone), drawn_units(drawn)) == ("12 pictures", "12 groups of 120 pictures")
    for name in ("low", "value", "high"):
        assert getattr(drawn.map50.difference, name) == pytest.approx(getattr(alone.map50.difference, name), abs=1e-9)


def test_a_picture_without_a_group_is_drawn_by_itself() -> None:
    truth = truth_from([[(0, BOX)]] * 6, groups=["a", "", "b", "a", "", "b"])
    weights = draw_pictures(truth, 50, np.random.default_rng(0))
    assert weights.shape == (51, 6)
    assert (weights[0] == 1).all()
    assert (weights[:, 0] == weights[:, 3]).all()
    assert (weights[:, 2] == weights[:, 5]).all()
    assert (weights[:, 1] != weights[:, 4]).any()
    assert (weights[1:, [0, 1, 2, 4]].sum(axis=1) == 4).all()  # four groups, four draws


def test_resamples_that_draw_no_truth_are_left_out() -> None:
    truth = truth_from([[(0, BOX)], [], [], []])
    run = evaluate(truth, [found((0, 0.9, BOX)), found(), found(), found()])
    compared = paired_bootstrap([run], [run], resamples=40).map50_95
    assert (compared.first.low, compared.first.high) == pytest.approx((1, 1))


def test_a_comparison_without_detections_is_zero() -> None:
    truth, _ = random_scene(0)
    run = evaluate(truth, [found()] * 30)
    assert paired_bootstrap([run], [run], resamples=20).map50.second.high == 0


def test_what_cannot_be_compared_is_refused() -> None:
    single = evaluate(truth_from([[(0, BOX)]]), [found()])
    empty = evaluate(truth_from([[], []]), [found(), found()])
    pair = evaluate(truth_from([[(0, BOX)], []]), [found(), found()])
    moved = evaluate(truth_from([[(0, (1, 2, 30, 40))], []]), [found(), found()])
    video = evaluate(truth_from([[(0, BOX)], [(0, BOX)]], groups=["video", "video"]), [found(), found()])
    with pytest.raises(UserError, match="two or more pictures"):
        paired_bootstrap([single], [single])
    with pytest.raises(UserError, match="two or more groups of pictures, and these 2 are of one"):
        paired_bootstrap([video], [video])
    with pytest.raises(UserError, match="2 pictures without a box"):
        paired_bootstrap([empty], [empty])
    for other in (single, moved):
        with pytest.raises(ValueError, match="same pictures"):
            paired_bootstrap([pair], [other])


def test_each_class_has_the_interval_of_the_slow_way() -> None:
    truth, detections = random_scene(5, pictures=15)
    others = _worse(detections, 6)
    ours = class_bootstrap(evaluate(truth, others), evaluate(truth, detections), resamples=60, seed=9)
    assert list(ours) == ["cat", "dog"]  # no bird is in these pictures
    weights = np.random.default_rng(9).multinomial(15, np.full(15, 1 / 15), size=60)
    slow = [
        [class_numbers(evaluate(*_redrawn(truth, rows, weight)))["dog"].ap for rows in (others, detections)]
        for weight in weights
    ]
    difference = np.array(slow, dtype=float)[:, 1] - np.array(slow, dtype=float)[:, 0]
    measured = ours["dog"].difference
    assert (measured.low, measured.high) == pytest.approx(np.nanquantile(difference, [0.025, 0.975]), abs=1e-9)
