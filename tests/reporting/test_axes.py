"""Ticks are round, inside the range, and scales meet their ends."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.reporting.axes import Scale, linear_ticks, log_ticks, padded, tick_texts


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 10))
def test_linear_ticks_lie_inside_and_are_evenly_spaced(low: float, span: float, count: int) -> None:
    ticks = linear_ticks(low, low + span, count)
    assert all(low - span * 1e-6 <= tick <= low + span * (1 + 1e-6) for tick in ticks)
    gaps = [after - before for before, after in itertools.pairwise(ticks)]
    assert gaps == pytest.approx([gaps[0]] * len(gaps), rel=1e-3) if gaps else len(ticks) <= 1
    assert len(ticks) <= count + 1


def test_known_ticks() -> None:
    assert linear_ticks(0.0, 1.0, 5) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert tick_texts([0.725, 0.730], 2) == ["0.725", "0.730"]
    assert tick_texts([1.0, 2.0], 0) == ["1", "2"]
    assert log_ticks(9, 210) == [10, 20, 50, 100, 200]


def test_scale_maps_ends_and_the_middle_of_a_logarithm() -> None:
    scale = Scale(low=1, high=100, start=0, end=200, log=True)
    assert (scale(1), scale(10), scale(100)) == (0, 100, 200)
    assert Scale(low=3, high=3, start=0, end=10)(3) == 5


def test_padding_of_a_single_value_still_has_an_extent() -> None:
    for log in (False, True):
        low, high = padded([0.5], 0.1, log=log)
        assert low < 0.5 < high
