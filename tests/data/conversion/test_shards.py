"""Cutting shards: by bytes, by a hash of the name, and never too large."""

import errno
import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.artifacts.dataset import Shard, shard_of
from netwright.data.conversion import shard_files
from netwright.data.conversion.shard_files import place_shards
from netwright.data.conversion.shard_plans import shard_count

MIB = 1 << 20


@pytest.mark.parametrize(
    ("pictures", "mib", "count"), [(1, 1, 1), (16, 1, 1), (17, 1, 2), (1024, 1, 64), (1025, 1, 128), (1, 900, 64)]
)
def test_shards_hold_16_mib_on_average_and_their_number_is_a_power_of_two(pictures, mib, count):
    assert shard_count({f"{number:04d}": mib * MIB for number in range(pictures)}) == count


@given(st.dictionaries(st.text(max_size=5), st.integers(0, 300 * MIB), min_size=1, max_size=30))
@settings(max_examples=50, deadline=None)
def test_no_shard_of_several_pictures_is_over_128_mib(sizes):
    count = shard_count(sizes)
    for number in range(count):
        inside = [size for name, size in sizes.items() if shard_of(name, count) == number]
        assert len(inside) <= 1 or sum(inside) <= 128 * MIB


def test_a_picture_more_leaves_the_others_in_their_shards():
    names = [f"{number:03d}" for number in range(50)]
    assert [shard_of(name, 8) for name in names] == [shard_of(name, 8) for name in [*names, "new"][:50]]


def another_disk(*_: object) -> None:
    raise OSError(errno.EXDEV, "Invalid cross-device link")


@pytest.mark.parametrize("far", [False, True])
def test_a_shard_is_moved_also_to_another_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, far: bool) -> None:
    store = tmp_path / "store"
    store.mkdir()
    (store / "key").write_bytes(b"rows")
    if far:
        monkeypatch.setattr(shard_files, "_rename", another_disk)
    place_shards({"key": "train-000.parquet"}, store, tmp_path / "out")
    assert (tmp_path / "out/train-000.parquet").read_bytes() == b"rows"
    assert list(store.iterdir()) == []


def test_placing_shards_leaves_nothing_else(tmp_path: Path) -> None:
    store, folder = tmp_path / "store", tmp_path / "out"
    store.mkdir()
    (folder / "old").mkdir(parents=True)
    for path in (folder / "old/file", folder / "train-000.parquet", folder / "val-000.parquet", store / "forgotten"):
        path.write_bytes(b"before")
    (store / "new").write_bytes(b"rows")
    place_shards({"same": "train-000.parquet", "new": "test-000.parquet"}, store, folder)
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert found == {"train-000.parquet": b"before", "test-000.parquet": b"rows"}
    assert list(store.iterdir()) == []


def test_a_shard_is_known_by_its_bytes_where_it_was_copied(tmp_path: Path) -> None:
    written, copied = tmp_path / "written", tmp_path / "copied"
    written.write_bytes(b"rows")
    shard = Shard(file="key", split="train", images=1, boxes=1, sha256=hashlib.sha256(b"rows").hexdigest())
    mark = shard_files.mark_of(written)
    assert shard_files.sound_shard(shard, mark, written, copied) == written
    copied.write_bytes(b"rows")
    written.write_bytes(b"rots")
    os.utime(written, (1, 1))
    assert shard_files.sound_shard(shard, mark, written, copied) == copied
    assert not written.exists()
    copied.write_bytes(b"rots")
    assert shard_files.sound_shard(shard, mark, written, copied) is None
