"""Splits, groups and duplicates together, on a real catalogue of pictures made by hand."""

from dataclasses import replace
from pathlib import Path

import pytest

from netwright.data.conversion.catalogue import Catalogue
from netwright.data.conversion.catalogue_row import pack
from netwright.data.conversion.raw import RawPicture
from netwright.data.splitting.division import SplitPolicy, divide_dataset
from tests.data.examined_pictures import examined

SHARES = {"train": 0.6, "val": 0.2, "test": 0.2}


def _picture(name, *, sha=None, phash=0, split="", group="", label="cat"):
    known = examined(name, [[0, 0, 9, 9]], [label], split=split, group=group)
    return replace(known, sha256=sha or name, phash=phash)


@pytest.fixture
def divided(tmp_path):
    def divide(pictures, group_by="auto"):
        with Catalogue(tmp_path / "catalogue.sqlite") as catalogue:
            catalogue.put(
                pack(RawPicture(name=p.name, content=Path(p.name), labels=None, state="", source=""), b"", p, 1)
                for p in pictures
            )
            return divide_dataset(catalogue, ("cat", "dog"), SplitPolicy(group_by=group_by, shares=SHARES, seed=0))

    return divide


def _frames(videos=5, frames=4, **facts):
    return [_picture(f"video{v}_{f:03d}", **facts) for v in range(videos) for f in range(frames)]


def test_frames_of_one_video_never_lie_in_two_splits(divided):
    division = divided(_frames())
    homes = {(division.groups[name], split) for name, split in division.splits.items()}
    assert len(homes) == 5
    assert {split for _, split in homes} == {"train", "val", "test"}
    assert division.group_origin.startswith("5 groups (largest 'video0_': 4 of 20) stay whole")


def test_copies_of_one_picture_never_lie_in_two_splits(divided):
    """p0 and p1 have the same bytes, p2 and p3 nearly the same hash (with its highest bit set, as SQLite signs it)."""
    looks = 0xFFFF0000FFFF0000
    pairs = [_picture("p0", sha="s"), _picture("p1", sha="s"), _picture("p2", phash=looks)]
    division = divided([*pairs, _picture("p3", phash=looks ^ 1), *(_picture(f"q{i}") for i in range(36))])
    assert division.splits["p0"] == division.splits["p1"]
    assert division.splits["p2"] == division.splits["p3"]
    assert [(pair.kind, pair.leaks) for pair in division.duplicates] == [("exact", False), ("near", False)]
    assert division.group_origin.endswith("4 pictures are held together with their copies")


def test_own_splits_are_kept_and_their_leaks_and_parted_videos_told(divided):
    pictures = [
        replace(picture, split=("train", "val", "test")[number % 3], sha256="s" if number < 2 else picture.sha256)
        for number, picture in enumerate(_frames())
    ]
    division = divided(pictures)
    assert division.splits == {picture.name: picture.split for picture in pictures}
    assert "they part 5 of its groups" in division.origin
    assert "first 'video0_'" in division.origin
    assert [(pair.first, pair.second, pair.leaks) for pair in division.duplicates] == [
        ("video0_000", "video0_001", True)
    ]


def test_own_splits_that_part_nothing_are_told_plainly(divided):
    pictures = [_picture(f"{split}-{i:03d}", split=split, group="", label="dog") for split in SHARES for i in range(4)]
    division = divided(pictures)
    assert division.origin == "the dataset's own splits: train, val, test"
    assert division.duplicates == []
    assert set(division.groups.values()) == {""}
