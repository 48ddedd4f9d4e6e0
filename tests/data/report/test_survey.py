"""The survey counts what is there, whatever the order, and remembers little of it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.data.report.histogram import Histogram, Lengths
from netwright.data.report.shapes import GRID, Shapes
from tests.data.examined_pictures import CLASSES, HOSTILE, PICTURES, examined, survey_of


def test_splits_classes_and_groups_are_counted():
    facts = survey_of(PICTURES, CLASSES).facts
    assert facts["splits"]["train"] == {
        "images": 1,
        "empty_images": 0,
        "groups": 1,
        "boxes": 2,
        "boxes_per_class": {"cat": 2, HOSTILE: 0, "never seen": 0},
        "images_per_class": {"cat": 1, HOSTILE: 0, "never seen": 0},
    }
    assert facts["splits"]["test"]["empty_images"] == 1
    assert facts["groups"] == {"count": 2, "cut": 1, "cut_names": ["v1"]}
    assert facts["picture_sizes"]["most_common"][0] == {"width": 64, "height": 48, "images": 2}
    assert facts["box_areas"] == {"small": 3, "medium": 0, "large": 1}


def test_boxes_fall_into_the_bins_that_they_belong_to():
    histograms = survey_of(PICTURES, CLASSES).facts["histograms"]
    sides = dict(zip(histograms["box_side"]["starts"], histograms["box_side"]["counts"], strict=True))
    # square roots of 16 x 12, 32 x 24, 1 x 32 and 640 x 480
    assert {start: count for start, count in sides.items() if count} == {11: 1, 23: 1, 4: 1, 512: 1}
    shares = dict(zip(histograms["box_share"]["starts"], histograms["box_share"]["counts"], strict=True))
    assert {start: count for start, count in shares.items() if count} == {24: 1, 48: 1, 8: 1, 96: 1}
    aspects = dict(zip(histograms["box_aspect"]["starts"], histograms["box_aspect"]["counts"], strict=True))
    assert {start: count for start, count in aspects.items() if count} == {0: 1, 1.25: 3}
    assert histograms["boxes_per_picture"]["counts"][:3] == [1, 2, 1]


@settings(max_examples=20, deadline=None)
@given(st.permutations(PICTURES))
def test_the_order_of_the_pictures_changes_nothing(pictures):
    expected, found = survey_of(PICTURES, CLASSES), survey_of(pictures, CLASSES)
    assert found.facts == expected.facts
    assert [picture.name for picture in found.sample] == [picture.name for picture in expected.sample]


def test_no_pictures_at_all_are_counted_as_such():
    survey = survey_of([], CLASSES)
    assert survey.facts["splits"]["train"]["images"] == 0
    assert survey.facts["box_sizes"] == {"width": {}, "height": {}}
    assert survey.sample == ()


def test_pictures_without_boxes_are_counted():
    facts = survey_of([examined("a"), examined("b")], CLASSES).facts
    assert facts["histograms"]["boxes_per_picture"]["counts"][0] == 2
    assert not np.any(facts["heat_map"])


def test_the_sample_is_small_holds_every_class_and_spans_the_pieces():
    pictures = [examined(f"{number:05d}", [[1, 1, 9, 9]], ["cat"]) for number in range(1500)]
    pictures[700] = examined("rare", [[1, 1, 9, 9]], [HOSTILE])
    survey = survey_of(iter(pictures), CLASSES)
    assert survey.facts["splits"]["train"]["boxes"] == 1500
    assert "rare" in {picture.name for picture in survey.sample}
    assert len(survey.sample) <= 16 + 2 * len(CLASSES)


def test_quantiles_of_lengths_are_right_to_a_fortieth():
    values = np.random.default_rng(3).lognormal(4, 1, 4000)
    lengths = Lengths()
    for part in np.array_split(values, 7):
        lengths.add(part)
    expected = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])
    found = lengths.facts()
    assert [found[name] for name in ("p05", "p25", "p50", "p75", "p95")] == pytest.approx(expected, rel=0.025)
    assert (found["min"], found["max"]) == pytest.approx((values.min(), values.max()), abs=0.01)


def test_a_histogram_counts_what_lies_beyond_its_ends():
    histogram = Histogram((0, 1.5, 4))
    histogram.add(np.array([-3.0, 0.0, 1.49, 1.5, 4.0, 1e30]))
    assert histogram.facts() == {"starts": [0, 1.5, 4], "counts": [3, 1, 2]}


def test_the_heat_map_shows_where_boxes_lie():
    shapes = Shapes()
    shapes.add([examined("a", [[32, 0, 64, 24]], ["cat"]), examined("b", [[0, 47.5, 0.1, 48]], ["cat"])])
    heat = np.array(shapes.facts()["heat_map"])
    expected = np.zeros((GRID, GRID))
    expected[: GRID // 2, GRID // 2 :] = 1  # the upper right quarter
    expected[GRID - 1, 0] = 1  # a speck smaller than a cell
    assert np.array_equal(heat, expected)
