from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.data.splitting.divide import Countable, divide
from netwright.errors import UserError

SHARES = {"train": 0.7, "val": 0.15, "test": 0.15}


def _alone(count, counts=(1,)):
    return [Countable(name=f"p{i:04d}", group="", counts=counts) for i in range(count)]


def _videos(sizes, counts=(1,)):
    return [
        Countable(name=f"v{video}/{frame}", group=f"v{video}", counts=counts)
        for video, size in enumerate(sizes)
        for frame in range(size)
    ]


def test_equal_pictures_are_divided_to_the_picture():
    splits = Counter(divide(_alone(100), shares=SHARES, seed=0).values())
    assert splits == {"train": 70, "val": 15, "test": 15}


def test_each_class_gets_its_share():
    """80 pictures of cats, 20 of dogs: 20 * 0.7 = 14 dogs in train, 3 in val, 3 in test; cats 56, 12, 12."""
    cats = [Countable(name=f"cat{i}", group="", counts=(1, 0)) for i in range(80)]
    dogs = [Countable(name=f"dog{i}", group="", counts=(0, 1)) for i in range(20)]
    splits = divide(cats + dogs, shares=SHARES, seed=3)
    assert Counter((name[:3], split) for name, split in splits.items()) == {
        ("cat", "train"): 56,
        ("cat", "val"): 12,
        ("cat", "test"): 12,
        ("dog", "train"): 14,
        ("dog", "val"): 3,
        ("dog", "test"): 3,
    }


def test_a_class_seen_three_times_is_in_every_split():
    pictures = _alone(200, (1, 0)) + [Countable(name=f"rare{i}", group="", counts=(1, 1)) for i in range(3)]
    splits = divide(pictures, shares=SHARES, seed=1)
    assert {splits[f"rare{i}"] for i in range(3)} == {"train", "val", "test"}


def test_forty_eight_videos_of_a_hundred_frames_fall_34_7_7():
    """0.15 * 48 = 7.2, so 7 whole videos each is the nearest."""
    splits = divide(_videos([100] * 48), shares=SHARES, seed=0)
    assert Counter(splits.values()) == {"train": 3400, "val": 700, "test": 700}


@pytest.mark.parametrize("seed", range(5))
def test_three_groups_fill_three_splits_and_the_largest_is_train(seed):
    splits = divide(_videos([1000, 2, 1]), shares=SHARES, seed=seed)
    assert {splits["v0/0"], splits["v1/0"], splits["v2/0"]} == {"train", "val", "test"}
    assert splits["v0/0"] == "train"


def test_every_split_gets_boxes_where_three_groups_have_some():
    pictures = _alone(100, (0,)) + [Countable(name=f"box{i}", group="", counts=(1,)) for i in range(3)]
    splits = divide(pictures, shares=SHARES, seed=0)
    assert {splits[f"box{i}"] for i in range(3)} == {"train", "val", "test"}


def test_a_seed_gives_one_division_and_another_seed_another():
    pictures = _alone(60)
    assert divide(pictures, shares=SHARES, seed=0) == divide(pictures, shares=SHARES, seed=0)
    assert divide(pictures, shares=SHARES, seed=0) != divide(pictures, shares=SHARES, seed=1)


def test_one_picture_more_moves_few_of_the_others():
    pictures = [Countable(name=f"p{i:04d}", group="", counts=(i % 5, i % 3, i % 7 == 0)) for i in range(1000)]
    before = divide(pictures[1:], shares=SHARES, seed=0)
    after = divide(pictures, shares=SHARES, seed=0)
    assert sum(after[name] != split for name, split in before.items()) < 60


@pytest.mark.parametrize("sizes", [[], [5], [5, 5]])
def test_fewer_groups_than_splits_say_what_to_set(sizes):
    with pytest.raises(UserError, match=r"^\d+ pictures in \d groups cannot .* set dataset\.split\.group_by to none"):
        divide(_videos(sizes), shares=SHARES, seed=0)


@pytest.mark.parametrize(
    ("shares", "told"),
    [
        ({"train": 0.8, "val": 0.2, "test": 0.0}, "shares.test is 0.0"),
        ({"train": 1.2, "val": -0.1, "test": -0.1}, "shares.val is -0.1"),
        ({"train": float("nan"), "val": 0.5, "test": 0.5}, "shares.train is nan"),
        ({"train": 0.7, "val": 0.2, "test": 0.2}, "together 1.1"),
    ],
)
def test_shares_that_make_no_sense_are_refused(shares, told):
    with pytest.raises(UserError, match=told.replace(".", r"\.")):
        divide(_alone(10), shares=shares, seed=0)


_PICTURES = st.lists(
    st.tuples(st.sampled_from(["", "a", "b", "c", "d", "e"]), st.tuples(*[st.integers(0, 9)] * 3)),
    min_size=3,
    max_size=40,
).map(
    lambda rows: [
        Countable(name=f"p{i}", group=group, counts=counts)
        for i, (group, counts) in enumerate([*rows, ("", (0, 0, 0))])
    ]
)


@settings(max_examples=50, deadline=None)
@given(pictures=_PICTURES, seed=st.integers(0, 9), shuffle=st.randoms(use_true_random=False))
def test_groups_stay_whole_no_split_is_empty_and_order_does_not_matter(pictures, seed, shuffle):
    groups = {picture.group or picture.name for picture in pictures}
    if len(groups) < 3:
        return
    splits = divide(pictures, shares=SHARES, seed=seed)
    assert list(splits) == sorted(picture.name for picture in pictures)
    assert set(splits.values()) == set(SHARES)
    assert len({(picture.group or picture.name, splits[picture.name]) for picture in pictures}) == len(groups)
    shuffled = list(pictures)
    shuffle.shuffle(shuffled)
    assert divide(shuffled, shares=SHARES, seed=seed) == splits


@settings(max_examples=50, deadline=None)
@given(sizes=st.lists(st.integers(1, 30), min_size=3, max_size=7), seed=st.integers(0, 5))
def test_no_move_of_one_group_would_come_closer_to_the_shares(sizes, seed):
    """The cost by hand: over splits, share * (pictures / wanted - 1)**2; boxes are proportional to pictures here."""
    splits = divide(_videos(sizes), shares=SHARES, seed=seed)
    places = [splits[f"v{video}/0"] for video in range(len(sizes))]

    def cost(chosen):
        has = {split: sum(size for size, at in zip(sizes, chosen, strict=True) if at == split) for split in SHARES}
        return sum(share * (has[split] / (share * sum(sizes)) - 1) ** 2 for split, share in SHARES.items())

    for video in range(len(sizes)):
        for split in SHARES:
            moved = [*places[:video], split, *places[video + 1 :]]
            assert len(set(moved)) < 3 or cost(moved) > cost(places) - 2e-5


def test_names_that_are_no_unicode_are_divided():
    pictures = [Countable(name=name, group="", counts=(1,)) for name in ("a\udcff", "b\ud800", "c")]
    assert set(divide(pictures, shares=SHARES, seed=0).values()) == set(SHARES)
