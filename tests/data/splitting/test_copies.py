import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.data.splitting.audit import DuplicatePair, find_duplicates
from netwright.data.splitting.copies import hold_copies
from netwright.data.splitting.divide import Countable, divide


def _pair(first, second, kind="exact"):
    return DuplicatePair(kind=kind, first=first, second=second, first_split="", second_split="", distance=0)


def _pictures(count, **groups):
    return [Countable(name=f"p{i}", group=groups.get(f"p{i}", ""), counts=(1,)) for i in range(count)]


def _others(count):
    return [Countable(name=f"other{i}", group="", counts=(1,)) for i in range(count)]


def _groups(pictures):
    return [picture.group for picture in pictures]


def test_copies_share_a_group_and_are_counted():
    joined, told = hold_copies(_pictures(4), [_pair("p0", "p2")])
    assert _groups(joined) == ["copies of p0", "", "copies of p0", ""]
    assert told == "2 pictures are held together with their copies"


def test_no_copies_change_nothing():
    pictures = _pictures(4, p0="video", p1="video")
    assert hold_copies(pictures, []) == (pictures, "")


def test_a_copy_joins_the_others_group_and_two_groups_become_one():
    pictures = _pictures(5, p0="a", p1="a", p2="b", p3="b")
    joined, told = hold_copies([*pictures, *_others(2)], [_pair("p1", "p2"), _pair("p3", "p4")])
    assert _groups(joined) == ["a"] * 5 + ["", ""]
    assert told.startswith("5 pictures")


def test_near_copies_do_not_chain_a_tenth_of_the_dataset_together_but_exact_ones_do():
    chain = [(f"p{i}", f"p{i + 1}") for i in range(19)]
    near, _ = hold_copies(_pictures(40), [_pair(*pair, kind="near") for pair in chain])
    exact, _ = hold_copies(_pictures(40), [_pair(*pair) for pair in chain])
    assert max(_groups(near).count(group) for group in set(_groups(near)) - {""}) == 4
    assert _groups(exact).count("copies of p0") == 20


def test_copies_are_parted_where_nothing_could_be_divided_otherwise():
    pictures = _pictures(4)
    joined, told = hold_copies(pictures, [_pair("p0", "p1"), _pair("p1", "p2")])
    assert joined == pictures
    assert told.startswith("copies are not held together")


@settings(max_examples=50, deadline=None)
@given(codes=st.lists(st.integers(1, 60), min_size=30, max_size=60), seed=st.integers(0, 5))
def test_exact_copies_never_lie_in_two_splits(codes, seed):
    names = [f"p{i}" for i in range(len(codes))]
    if len(set(codes)) < 3:
        return
    shas, hashes = [str(code) for code in codes], np.zeros(len(codes), dtype=np.uint64)
    pairs = find_duplicates(names, [""] * len(names), shas, hashes)
    joined, _ = hold_copies(_pictures(len(codes)), pairs)
    splits = divide(joined, shares={"train": 0.7, "val": 0.15, "test": 0.15}, seed=seed)
    assert not any(pair.leaks for pair in find_duplicates(names, [splits[name] for name in names], shas, hashes))
