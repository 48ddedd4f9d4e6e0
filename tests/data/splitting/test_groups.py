import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.data.splitting import groups
from netwright.data.splitting.divide import Countable
from netwright.data.splitting.groups import group_pictures
from netwright.errors import UserError


def _pictures(names, group="", counts=(1,)):
    return [Countable(name=name, group=group, counts=counts) for name in names]


def _found(names, group_by):
    pictures, why = group_pictures(_pictures(names), group_by)
    return [picture.group for picture in pictures], why


def test_auto_keeps_the_groups_that_the_dataset_names():
    pictures = [*_pictures(["a_1", "a_2"], group="video one"), *_pictures(["b_1"])]
    found, why = group_pictures(pictures, "auto")
    assert found == pictures
    assert why == (
        "1 group (largest 'video one': 2 of 3; 1 in none) that the dataset names stay whole; "
        "dataset.split.group_by: none would part them"
    )


def test_auto_says_how_many_videos_it_saw_and_how_to_change_it():
    names = [f"video{video}_{frame:06d}" for video in range(4) for frame in range(10)]
    found, why = _found(names, "auto")
    assert sorted(set(found)) == ["video0_", "video1_", "video2_", "video3_"]
    assert why.startswith("4 groups (largest 'video0_': 10 of 40) stay whole: names look like frames of videos")
    assert "dataset.split.group_by: none" in why


def test_auto_leaves_numbered_photographs_alone_and_says_how_to_group_them():
    found, why = _found([f"BloodImage_{i:05d}" for i in range(364)], "auto")
    assert set(found) == {""}
    assert why.startswith("every picture stands alone: names show 1 series of numbered frames")
    assert "a regular expression in dataset.split.group_by would group them" in why


def test_none_parts_even_the_datasets_own_groups():
    found, why = group_pictures(_pictures(["a", "b"], group="video"), "none")
    assert [picture.group for picture in found] == ["", ""]
    assert "group_by is none" in why


def test_folder_groups_by_the_whole_folder():
    found, why = _found(["day/a/1", "day/a/2", "day/b/1", "loose"], "folder")
    assert found == ["day/a", "day/a", "day/b", ""]
    assert why.startswith("2 groups (largest 'day/a': 2 of 4; 1 in none) stay whole")


def test_folder_without_folders_is_refused():
    with pytest.raises(UserError, match="no picture lies in a folder, such as 'a': set it to auto"):
        _found(["a", "b"], "folder")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (r"^(p\d+)_", ["p1", "p1", "p22"]),  # the first group
        (r"p\d+", ["p1", "p1", "p22"]),  # no group: the whole match
        (r"(?:p)(1)(_)", ["1", "1", ""]),  # what does not match stands alone
        (r"(x)?p1", ["", "", ""]),
        (r"(auto)|p1_(\w)", ["", "", ""]),
    ],
)
def test_an_expression_names_the_group(expression, expected):
    names = ["p1_a", "p1_b", "p22_a"]
    if any(expected):
        assert _found(names, expression)[0] == expected
    else:
        with pytest.raises(UserError, match="matches no picture's name, such as 'p1_a'"):
            _found(names, expression)


@pytest.mark.parametrize("expression", ["(", "[a", "*", "(?P<1>a)", "a{9999999999999}"])
def test_an_invalid_expression_is_refused_in_one_line(expression):
    with pytest.raises(UserError, match="not a regular expression") as caught:
        _found(["a"], expression)
    assert "\n" not in str(caught.value)


def test_an_expression_that_backtracks_for_ever_is_stopped(monkeypatch):
    monkeypatch.setattr(groups, "_PATIENCE", 0.2)
    started = time.monotonic()
    with pytest.raises(UserError, match=r"takes over 0\.2 s on the names"):
        _found(["a" * 60 + "!"], r"(a+)+$")
    assert time.monotonic() - started < 5


def test_an_empty_dataset_has_no_groups():
    for group_by in ("auto", "none", "folder", "x"):
        assert _found([], group_by)[0] == []


@settings(max_examples=50, deadline=None)
@given(names=st.lists(st.text(max_size=30), unique=True, max_size=30))
def test_auto_never_fails_and_depends_on_no_order(names):
    found, why = group_pictures(_pictures(names), "auto")
    again, same = group_pictures(_pictures(names[::-1]), "auto")
    assert again == found[::-1]
    assert why == same
    assert "\n" not in why
