"""Error types against figures of the TIDE authors' own tidecv 1.0.1, computed once on the same scenes."""

import pytest

from netwright.evaluation.evaluation import evaluate
from netwright.evaluation.tide import MEANINGS, error_types
from tests.evaluation.scenes import Box, found, random_scene, truth_from

BOX: Box = (10, 10, 50, 50)
BESIDE: Box = (30, 10, 70, 50)  # IoU 1/3 with BOX
OTHER: Box = (100, 100, 150, 150)

# seed: AP50, points lost to Cls, Loc, Both, Dupe, Bkg, Miss, all false positives, all false negatives; then counts
TIDECV = {
    11: ((45.261, 1.888, 1.171, 2.549, 1.229, 26.19, 7.929, 36.422, 10.104), (4, 3, 4, 18, 83, 16)),
    12: ((38.439, 5.07, 4.927, 1.209, 1.173, 23.602, 5.749, 40.768, 9.979), (9, 9, 8, 17, 74, 13)),
    13: ((39.12, 7.373, 1.027, 1.227, 2.279, 24.997, 3.876, 44.543, 7.654), (9, 6, 9, 19, 75, 9)),
}


@pytest.mark.parametrize("seed", TIDECV)
def test_errors_equal_tidecv(seed: int) -> None:
    points, counts = TIDECV[seed]
    ours = error_types(evaluate(*random_scene(seed)))
    shares = (ours.ap50, *ours.lost.values(), ours.lost_to_false_alarms, ours.lost_to_misses)
    assert [100 * share for share in shares] == pytest.approx(points, abs=0.02)
    assert tuple(ours.counts.values()) == counts
    assert tuple(ours.counts) == tuple(ours.lost) == tuple(MEANINGS)


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        ("Cls", [(1, 0.9, BOX)]),
        ("Loc", [(0, 0.9, BESIDE)]),
        ("Both", [(1, 0.9, BESIDE)]),
        ("Dupe", [(0, 0.9, BOX), (0, 0.8, BOX)]),
        ("Bkg", [(0, 0.9, BOX), (0, 0.8, (200, 200, 250, 250))]),
        ("Miss", []),
    ],
)
def test_each_kind_by_hand(kind: str, rows: list[tuple[int, float, Box]]) -> None:
    truth = truth_from([[(0, BOX)], [(1, OTHER)]])
    ours = error_types(evaluate(truth, [found(*rows), found((1, 0.5, OTHER))]))
    assert ours.counts == {name: int(name == kind) for name in MEANINGS} | ({"Miss": 1} if kind == "Both" else {})


def test_of_five_misplaced_boxes_on_one_object_mending_makes_one_right() -> None:
    truth = truth_from([[(0, BOX)], [(0, BOX)]])
    rows = [(0, 0.9 - index / 10, BESIDE) for index in range(5)]
    ours = error_types(evaluate(truth, [found(*rows), found((0, 0.3, BOX))]))
    assert (ours.counts["Loc"], ours.counts["Miss"]) == (5, 0)
    assert (ours.ap50, ours.lost["Loc"]) == pytest.approx((0.08416, 0.91584), abs=1e-4)  # tidecv's figures


def test_nothing_at_all_is_no_error() -> None:
    for truth in (truth_from([]), truth_from([[]])):
        ours = error_types(evaluate(truth, [found()] * len(truth)))
        assert (ours.ap50, set(ours.lost.values()), set(ours.counts.values())) == (0, {0}, {0})
