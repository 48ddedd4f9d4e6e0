"""Intervals against the bootstrap that the evaluation has, which its own tests check against COCOeval."""

import numpy as np
import pytest

from netwright.certificates.method import Method
from netwright.certificates.metrics import METRICS, overall_values
from netwright.certificates.resampling import points_between, resample, with_intervals
from netwright.evaluation.bootstrap import paired_bootstrap
from netwright.evaluation.evaluation import Evaluation, evaluate
from stages.settings import Certificate
from tests.evaluation.scenes import random_scene

METHOD = Method(metrics=("map50_95", "map50"), resamples=300, seed=3, confidence=0.9)


@pytest.fixture(scope="module")
def pair() -> tuple[Evaluation, Evaluation]:
    truth, found = random_scene(5)
    _, other = random_scene(6)
    return evaluate(truth, found), evaluate(truth, other[: len(truth)])


def test_intervals_are_those_of_the_paired_bootstrap(pair: tuple[Evaluation, Evaluation]) -> None:
    first, second = pair
    expected = paired_bootstrap([first], [second], resamples=300, seed=3, confidence=0.9)
    one, other = resample(first, METHOD), resample(second, METHOD)
    found = with_intervals(overall_values(first, METHOD.metrics), one.overall(), 0.9)
    for name in METHOD.metrics:
        wanted = getattr(expected, name).first
        assert found[name] == pytest.approx({"value": wanted.value, "low": wanted.low, "high": wanted.high}, abs=1e-9)
    difference = expected.map50_95.difference
    told = points_between(one, other, 0.9)
    wanted = {"value": 100 * difference.value, "low": 100 * difference.low, "high": 100 * difference.high}
    assert told == pytest.approx(wanted, abs=1e-7)


def test_the_mean_over_classes_leaves_out_those_without_truth(pair: tuple[Evaluation, Evaluation]) -> None:
    resampled = resample(pair[0], METHOD)
    values = resampled.values.copy()
    values[0] = np.nan
    without = type(resampled)(resampled.classes, values)
    assert without.overall()[0] == pytest.approx(np.nanmean(resampled.values[1:, 0], axis=0))


def test_settings_and_library_know_the_same_metrics() -> None:
    from typing import get_args, get_type_hints

    (choices,) = get_args(get_type_hints(Certificate)["metrics"])
    assert get_args(choices) == METRICS
