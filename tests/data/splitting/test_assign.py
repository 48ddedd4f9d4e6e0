from collections import Counter

import pytest

from netwright.data.splitting.assign import assign_splits, parted_groups
from netwright.data.splitting.divide import Countable
from netwright.errors import UserError

SHARES = {"train": 0.7, "val": 0.15, "test": 0.15}


def _pictures(count, group=""):
    return [Countable(name=f"p{i:03d}", group=group, counts=(1,)) for i in range(count)]


def _own(**splits):
    return {f"p{i:03d}": split for split, numbers in splits.items() for i in numbers}


def _assign(pictures, own):
    splits, told = assign_splits(pictures, own, shares=SHARES, seed=0)
    assert "\n" not in told
    assert list(splits) == sorted(picture.name for picture in pictures)
    return splits, told


def test_without_own_splits_all_are_divided():
    splits, told = _assign(_pictures(100), {})
    assert Counter(splits.values()) == {"train": 70, "val": 15, "test": 15}
    assert told == (
        "divided train 0.7, val 0.15, test 0.15 by classes and groups, seed 0: the dataset brings no splits"
    )


def test_own_splits_stay_as_they_are():
    own = _own(train=range(3), val=range(3, 8), test=range(8, 10))
    splits, told = _assign(_pictures(10), own)
    assert splits == own
    assert told == "the dataset's own splits: train, val, test"


def test_a_missing_test_is_taken_from_train_and_val_stays():
    """Test's share of the 80 in train: 0.15 * 80 = 12."""
    own = _own(train=range(80), val=range(80, 100))
    splits, told = _assign(_pictures(100), own)
    assert all(splits[name] == "val" for name, split in own.items() if split == "val")
    assert Counter(splits.values()) == {"train": 68, "val": 20, "test": 12}
    assert told == "the dataset's own splits: train, val; test 0.15 taken from train by classes and groups, seed 0"


def test_only_train_gives_both_others():
    splits, _ = _assign(_pictures(100), _own(train=range(100)))
    assert Counter(splits.values()) == {"train": 70, "val": 15, "test": 15}


def test_pictures_in_no_split_file_join_train():
    splits, told = _assign(_pictures(10), _own(train=range(3), val=range(3, 5), test=range(5, 7)))
    assert {splits[f"p{i:03d}"] for i in (7, 8, 9)} == {"train"}
    assert told.endswith("; 3 pictures in none of them joined train")


def test_a_dataset_with_only_a_test_split_has_its_rest_divided():
    splits, _ = _assign(_pictures(110), _own(test=range(10)))
    assert Counter(splits.values()) == {"train": 85, "val": 15, "test": 10}


def test_nothing_for_train_is_refused():
    with pytest.raises(UserError, match="the dataset brings val and test alone, so nothing is left for train"):
        _assign(_pictures(4), _own(val=range(2), test=range(2, 4)))


def test_groups_of_train_stay_whole_where_test_is_taken_from_it():
    pictures = [Countable(name=f"v{v}/{i}", group=f"v{v}", counts=(1,)) for v in range(10) for i in range(5)]
    splits, _ = _assign(pictures, {picture.name: "val" if picture.group == "v9" else "train" for picture in pictures})
    assert parted_groups(pictures, splits) == ()
    assert set(splits.values()) == {"train", "val", "test"}


def test_groups_that_own_splits_part_are_named():
    pictures = [*_pictures(4, group="video"), Countable(name="z", group="", counts=(1,))]
    splits, _ = _assign(pictures, _own(train=range(2), val=[2], test=[3]) | {"z": "train"})
    assert parted_groups(pictures, splits) == ("video",)


@pytest.mark.parametrize("shares", [{}, {"train": 1.0}, {"train": 0.5, "val": 0.25, "tset": 0.25}])
def test_a_share_for_each_split_is_asked_for(shares):
    with pytest.raises(UserError, match="give a share for each of train, val, test"):
        assign_splits(_pictures(5), {}, shares=shares, seed=0)
