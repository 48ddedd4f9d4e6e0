"""Cutting shards: by bytes, by a hash of the name, and never too large."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.artifacts.dataset import shard_of
from netwright.data.conversion import shards
from netwright.data.conversion.shards import place_shard, shard_count

MIB = 1 << 20


@pytest.mark.parametrize(
    ("pictures", "mib", "count"), [(1, 1, 1), (64, 1, 1), (65, 1, 2), (1024, 1, 16), (1025, 1, 32), (1, 900, 16)]
)
def test_shards_hold_64_mib_on_average_and_their_number_is_a_power_of_two(pictures, mib, count):
    assert shard_count({f"{number:04d}": mib * MIB for number in range(pictures)}) == count


@given(st.dictionaries(st.text(max_size=5), st.integers(0, 300 * MIB), min_size=1, max_size=30))
@settings(max_examples=50, deadline=None)
def test_no_shard_of_several_pictures_is_over_256_mib(sizes):
    count = shard_count(sizes)
    for number in range(count):
        inside = [size for name, size in sizes.items() if shard_of(name, count) == number]
        assert len(inside) <= 1 or sum(inside) <= 256 * MIB


def test_a_picture_more_leaves_the_others_in_their_shards():
    names = [f"{number:03d}" for number in range(50)]
    assert [shard_of(name, 8) for name in names] == [shard_of(name, 8) for name in [*names, "new"][:50]]


def test_a_shard_is_linked_or_where_that_is_impossible_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "kept"
    source.write_bytes(b"rows")
    place_shard(source, tmp_path / "out/one")
    assert (tmp_path / "out/one").stat().st_ino == source.stat().st_ino

    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(shards.os, "link", refuse)
    place_shard(source, tmp_path / "out/one")
    assert (tmp_path / "out/one").read_bytes() == b"rows"
    assert (tmp_path / "out/one").stat().st_ino != source.stat().st_ino
