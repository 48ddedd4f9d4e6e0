import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.data.checks.box_rules import check_boxes, find_repeats
from netwright.data.checks.rules import ExaminePolicy, Findings
from netwright.data.conversion.raw import RawBox, RawPicture
from netwright.errors import UserError

NAN, INF = float("nan"), float("inf")
SIZE = (64, 48)


def _check(boxes, size=SIZE, **options):
    policy = ExaminePolicy(**options)
    findings = Findings(RawPicture(name="a", content=b"", labels=None, state="", source="a.txt"), policy)
    return check_boxes(boxes, size, policy, findings), findings.offences


def _boxes(*corners, label="cat", **options):
    return [RawBox(label=label, corners=box, **options) for box in corners]


@pytest.mark.parametrize(
    ("corners", "kept", "rules"),
    [
        ((1, 2, 64, 48), (1, 2, 64, 48), []),
        ((0, 0, 64, 48), (0, 0, 64, 48), []),
        ((5, 5, 5, 9), None, ["zero_area"]),
        ((5, 5, 9, 5), None, ["zero_area"]),
        ((5, 5, 5 + 1e-9, 9), None, ["zero_area"]),  # float32 cannot tell its edges apart
        ((9, 5, 5, 8), None, ["inverted"]),
        ((5, 8, 9, 5), None, ["inverted"]),
        ((-3, 2, 70, 40), (0, 2, 64, 40), ["overhang"]),
        ((64, 2, 70, 40), None, ["outside"]),
        ((5, -9, 9, 0), None, ["outside"]),
        ((5, 48, 9, 50), None, ["outside"]),
        ((-9, 5, 0, 9), None, ["outside"]),
        ((NAN, 2, 5, 6), None, ["not_finite"]),
        ((1, 2, INF, 6), None, ["not_finite"]),
        ((1, 2, 2.9, 6), (1, 2, 2.9, 6), ["tiny"]),
        ((1, 2, 3, 4), (1, 2, 3, 4), []),
        ((-9, 2, 1, 40), (0, 2, 1, 40), ["overhang", "tiny"]),  # tiny is what is left of it
        ((1e300, 0, 2e300, 5), None, ["outside"]),
    ],
)
def test_each_rule_of_the_corners(corners, kept, rules):
    usable, offences = _check(_boxes(corners))
    assert [box.corners for box in usable] == ([] if kept is None else [kept])
    assert [offence.rule for offence in offences] == rules
    assert all(offence.box == corners and offence.label == "cat" for offence in offences)


@pytest.mark.parametrize(
    ("rule", "box"),
    [
        ("overhang", {"corners": (-3, 2, 30, 40)}),
        ("tiny", {"corners": (1, 2, 2, 40)}),
        ("crowd", {"corners": (1, 2, 30, 40), "crowd": True}),
        ("difficult", {"corners": (1, 2, 30, 40), "difficult": True}),
    ],
)
def test_each_action_is_done(rule, box):
    box = RawBox(label="cat", **box)
    for action, count in (("drop", 0), ("clip" if rule == "overhang" else "keep", 1)):
        usable, offences = _check([box], on_invalid={rule: action})
        assert len(usable) == count
        assert [(offence.rule, offence.action) for offence in offences] == [(rule, action)]
    with pytest.raises(UserError, match=f"rule {rule}"):
        _check([box], on_invalid={rule: "fail"})


def test_a_hair_over_the_edge_is_rounding_and_clipped_without_a_word():
    """YOLO's shares of the picture have six digits: 1.0000005 times 640 pixels is nobody's mistake."""
    (usable,), offences = _check(_boxes((-0.004, -1e-12, SIZE[0] + 0.0003, SIZE[1])))
    assert usable.corners == (0, 0, *SIZE)
    assert not offences


def test_the_limit_of_tiny_is_the_policys():
    boxes = _boxes((1, 1, 11, 9))
    assert _check(boxes, tiny_pixels=8.0)[1] == []
    assert [offence.rule for offence in _check(boxes, tiny_pixels=8.5)[1]] == ["tiny"]


def test_classes_are_mapped_before_anything_else():
    boxes = [*_boxes((1, 1, 9, 9), label="sky"), *_boxes((9, 9, 1, 1), label="sky"), *_boxes((1, 1, 9, 9), label="van")]
    usable, offences = _check([*boxes, *_boxes((1, 1, 5, 5), label="ox")], class_mapping={"sky": None, "van": "car"})
    assert [box.label for box in usable] == ["car"]
    assert [(offence.rule, offence.label) for offence in offences] == [("unknown_class", "ox")]


def test_a_class_that_the_format_does_not_declare_is_unknown():
    usable, offences = _check(_boxes((1, 1, 9, 9), label="7"), classes=("cat",))
    assert usable == []
    assert offences[0].rule == "unknown_class"
    assert "'7'" in offences[0].reason


def test_boxes_merged_into_one_class_repeat_each_other():
    boxes = [*_boxes((1, 1, 40, 40), label="car"), *_boxes((1, 1, 40, 40), label="van")]
    assert len(_check(boxes)[0]) == 2
    usable, offences = _check(boxes, class_mapping={"car": "vehicle", "van": "vehicle"})
    assert [box.raw.label for box in usable] == ["car"]
    assert offences[0].label == "van"
    assert "'car' (1, 1, 40, 40)" in offences[0].reason


def test_near_identical_boxes_can_be_kept():
    usable, offences = _check(_boxes((1, 1, 40, 40), (1, 1, 40, 40)), on_invalid={"near_identical": "keep"})
    assert len(usable) == 2
    assert [offence.action for offence in offences] == ["keep"]


@pytest.mark.parametrize(("right", "repeats"), [(95.0, {1: 0}), (94.9, {}), (100.0, {1: 0})])
def test_two_boxes_are_near_identical_from_an_iou_of_95_percent(right, repeats):
    boxes = np.array([[0, 0, 100, 10], [0, 0, right, 10]], dtype=np.float64)
    assert find_repeats(boxes, np.zeros(2, dtype=np.int64)) == repeats
    assert find_repeats(boxes, np.arange(2)) == {}


def test_every_repeat_has_a_twin_that_stays():
    """The third is near the second, which goes, and not near the first: it stays."""
    boxes = np.array([[0, 0, 100, 10], [3, 0, 100, 10], [6, 0, 100, 10]], dtype=np.float64)
    assert find_repeats(boxes, np.zeros(3, dtype=np.int64)) == {1: 0}


def _iou(first, second):
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return shared / (sum(areas) - shared)


def _reference_repeats(boxes, labels):
    repeats = {}
    for index, box in enumerate(boxes):
        for earlier in range(index):
            same = labels[earlier] == labels[index] and earlier not in repeats
            if same and _iou(boxes[earlier], box) >= 0.95:
                repeats[index] = earlier
                break
    return repeats


@pytest.mark.parametrize("cells", [1, 50, 1_000_000])
def test_repeats_are_those_of_a_plain_search(monkeypatch, cells):
    monkeypatch.setattr("netwright.data.checks.box_rules._CELLS", cells)
    random = np.random.default_rng(5)
    for _ in range(20):
        count = int(random.integers(1, 40))
        corners = random.integers(0, 3, (count, 4)) + np.array([0, 0, 40, 60])
        labels = random.integers(0, 2, count)
        expected = _reference_repeats(corners.tolist(), labels.tolist())
        assert find_repeats(corners.astype(np.float64), labels) == expected


def test_very_many_boxes_are_compared_in_bounded_memory():
    left_top = np.stack(np.meshgrid(np.arange(50), np.arange(40)), axis=2).reshape(-1, 2) * 100.0
    boxes = np.concatenate([left_top, left_top + 50], axis=1)
    doubled = np.concatenate([boxes, boxes + 0.25])
    tracemalloc.start()
    repeats = find_repeats(doubled, np.zeros(4000, dtype=np.int64))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert repeats == {2000 + index: index for index in range(2000)}
    assert peak < 120e6  # every pair at once takes 128 MB for the overlaps alone, ten times that to find them


def _reference(corners, size, tiny):
    """What becomes of one box, in plain arithmetic of its own: (kept corners or None, rules)."""
    if any(math.isnan(value) or math.isinf(value) for value in corners):
        return None, ["not_finite"]
    left, top, right, bottom = corners
    if left > right or top > bottom:
        return None, ["inverted"]
    if left == right or top == bottom:
        return None, ["zero_area"]
    if max(left, 0) >= min(right, size[0]) or max(top, 0) >= min(bottom, size[1]):
        return None, ["outside"]
    kept = [sorted((0.0, left, float(size[0])))[1], sorted((0.0, top, float(size[1])))[1]]
    kept += [sorted((0.0, right, float(size[0])))[1], sorted((0.0, bottom, float(size[1])))[1]]
    if np.float32(kept[0]) >= np.float32(kept[2]) or np.float32(kept[1]) >= np.float32(kept[3]):
        return None, ["zero_area"]
    rules = ["overhang"] * any(abs(ours - theirs) > 0.01 for ours, theirs in zip(kept, corners, strict=True))
    return kept, rules + ["tiny"] * (kept[2] - kept[0] < tiny or kept[3] - kept[1] < tiny)


NUMBER = st.floats(width=64) | st.floats(-10, 80) | st.integers(-5, 70).map(float)


@settings(max_examples=300, deadline=None)
@given(st.tuples(NUMBER, NUMBER, NUMBER, NUMBER), st.sampled_from([0.0, 2.0, 5.5]))
def test_whatever_is_written_a_box_fares_as_the_reference_says(corners, tiny):
    usable, offences = _check(_boxes(corners), tiny_pixels=tiny)
    kept, rules = _reference(corners, SIZE, tiny)
    assert [list(box.corners) for box in usable] == ([] if kept is None else [kept])
    assert [offence.rule for offence in offences] == rules
    for box in usable:
        left, top, right, bottom = np.array(box.corners, dtype=np.float32)
        assert 0 <= left < right <= SIZE[0]
        assert 0 <= top < bottom <= SIZE[1]
