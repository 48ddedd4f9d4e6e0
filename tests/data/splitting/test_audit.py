import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.data.splitting.audit import NEAR, DuplicatePair, find_duplicates, judge_leakage
from netwright.errors import UserError

HASH = 0x5A5A5A5A_5A5A5A5A


def _audit(*pictures, near=NEAR):
    """Pictures are (name, split, sha256, hash)."""
    names, splits, shas, hashes = map(list, zip(*pictures, strict=True)) if pictures else ([], [], [], [])
    return find_duplicates(names, splits, shas, np.array(hashes, dtype=np.uint64), near=near)


def _pair(kind, first, second, distance):
    return DuplicatePair(
        kind=kind, first=first[0], second=second[0], first_split=first[1], second_split=second[1], distance=distance
    )


def test_equal_bytes_in_two_splits_are_an_exact_pair_that_leaks():
    a, b = ("a", "test", "s1", HASH), ("b", "train", "s1", HASH)
    assert _audit(a, b) == [_pair("exact", b, a, 0)]
    assert _audit(a, b)[0].leaks


def test_equal_bytes_in_one_split_are_a_pair_that_does_not_leak():
    a, b = ("a", "train", "s1", HASH), ("b", "train", "s1", HASH)
    assert _audit(b, a) == [_pair("exact", a, b, 0)]
    assert not _audit(a, b)[0].leaks


@pytest.mark.parametrize(("bits", "found"), [(0, True), (1, True), (NEAR, True), (NEAR + 1, False), (64, False)])
def test_near_means_up_to_six_bits(bits, found):
    a, b = ("a", "train", "s1", HASH), ("b", "val", "s2", HASH ^ (2**bits - 1))
    assert _audit(a, b) == ([_pair("near", a, b, bits)] if found else [])


@pytest.mark.parametrize("spared", range(7))
def test_six_bits_are_found_whichever_part_of_the_hash_they_spare(spared):
    spread = sum(1 << bit for place, bit in enumerate((0, 13, 22, 31, 40, 49, 63)) if place != spared)
    a, b = ("a", "train", "s1", HASH), ("b", "val", "s2", HASH ^ spread)
    assert _audit(a, b) == [_pair("near", a, b, 6)]


def test_pictures_without_structure_are_near_nothing_but_may_be_exact():
    black, grey, copy = ("a", "train", "s1", 0), ("b", "val", "s2", 0), ("c", "test", "s1", 0)
    assert _audit(black, grey, copy, ("d", "val", "s3", 1)) == [_pair("exact", black, copy, 0)]


def test_the_closest_picture_of_another_split_is_named():
    a = ("a", "train", "s1", HASH)
    b, c, d = ("b", "train", "s2", HASH ^ 0b1), ("c", "train", "s3", HASH ^ 0b11), ("d", "test", "s4", HASH ^ 0b111)
    pairs = _audit(a, b, c, d)
    assert next(pair for pair in pairs if pair.leaks) == _pair("near", c, d, 1)
    assert {pair.first for pair in pairs if pair.leaks} == {"a", "b", "c"}  # each of train's has d as a twin
    assert not any(pair.leaks for pair in pairs[3:])


def test_an_exact_twin_hides_the_near_ones_of_the_same_side():
    a, b, c = ("a", "train", "s1", HASH), ("b", "test", "s1", HASH), ("c", "test", "s2", HASH ^ 1)
    assert _audit(a, b, c) == [
        _pair("exact", a, b, 0),
        _pair("near", a, c, 1),  # c has no exact twin in train
        _pair("near", b, c, 1),  # nor has b in test
    ]


def test_a_thousand_copies_give_a_list_not_a_square():
    pictures = [(f"p{i:04d}", ("train", "val", "test")[i % 3], "same", HASH) for i in range(1000)]
    pairs = _audit(*pictures)
    assert len(pairs) < 2000
    assert {name for pair in pairs if pair.leaks for name in (pair.first, pair.second)} == {p[0] for p in pictures}
    alike = _audit(*((name, split, name, code) for name, split, _, code in pictures))
    assert len(alike) == len(pairs)
    assert {pair.kind for pair in alike} == {"near"}


def test_before_the_division_all_pictures_lie_in_one_place():
    a, b = ("a", "", "s1", HASH), ("b", "", "s2", HASH ^ 1)
    assert _audit(a, b) == [_pair("near", a, b, 1)]


def test_no_pictures_have_no_duplicates():
    assert _audit() == []


_PICTURES = st.lists(
    st.tuples(
        st.sampled_from(["train", "val", "test"]),
        st.integers(0, 5),
        st.sampled_from([0, HASH, 0x0123456789ABCDEF]),
        st.sets(st.integers(0, 63), max_size=5),
    ),
    max_size=14,
).map(
    lambda rows: [
        # equal bytes have equal hashes
        (f"p{i}", split, f"s{sha}-{code}-{sorted(bits)}", code ^ sum(1 << bit for bit in bits) if code else 0)
        for i, (split, sha, code, bits) in enumerate(rows)
    ]
)


@settings(max_examples=100, deadline=None)
@given(pictures=_PICTURES, shuffle=st.randoms(use_true_random=False))
def test_every_twin_that_comparing_all_pairs_finds_is_named(pictures, shuffle):
    pairs = _audit(*pictures)
    named = {(name, pair.leaks) for pair in pairs for name in (pair.first, pair.second)}
    expected = set()
    distances = {}
    for one, other in itertools.combinations(pictures, 2):
        distance = (one[3] ^ other[3]).bit_count()
        exact = one[2] == other[2]
        if exact or (distance <= NEAR and one[3] and other[3]):
            distances[frozenset((one[0], other[0]))] = 0 if exact else distance
            expected |= {(one[0], one[1] != other[1]), (other[0], one[1] != other[1])}
    assert named == expected
    for pair in pairs:
        assert distances[frozenset((pair.first, pair.second))] == pair.distance
    assert len({(pair.first, pair.second) for pair in pairs}) == len(pairs)
    shuffled = list(pictures)
    shuffle.shuffle(shuffled)
    assert _audit(*shuffled) == pairs


def test_the_verdict_counts_the_pairs_across_splits_and_names_the_first():
    pairs = [
        DuplicatePair(kind="exact", first="a", second="b", first_split="train", second_split="test", distance=0),
        DuplicatePair(kind="near", first="c", second="d", first_split="train", second_split="val", distance=3),
        DuplicatePair(kind="near", first="c", second="e", first_split="train", second_split="train", distance=3),
    ]
    line = judge_leakage(pairs, "warn")
    assert line.startswith("2 pairs of pictures lie across splits and show the same or nearly so, first 'a' (train)")
    assert "'b' (test; equal bytes): remove one of each, or keep both in one split" in line
    assert "3 of 64 hash bits differ" in judge_leakage(pairs[1:], "warn")
    assert judge_leakage(pairs[2:], "fail") == ""
    with pytest.raises(UserError, match=r"^1 pair of pictures lies across splits .* dataset\.leakage: warn"):
        judge_leakage(pairs[:1], "fail")
