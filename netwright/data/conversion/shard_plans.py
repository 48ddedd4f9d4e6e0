"""Which pictures lie in which shard, and what each shard's content is known by."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from netwright.artifacts.dataset import shard_file, shard_of
from netwright.data.conversion.catalogue import Catalogue
from netwright.data.conversion.code import code_digest

TARGET, LARGEST = 16 << 20, 128 << 20  # bytes of encoded pictures in one shard
_CODE = (
    "artifacts/record.py",
    "artifacts/shard.py",
    "data/conversion/shard_plans.py",
    "data/conversion/shards.py",
    "data/conversion/catalogue_row.py",
    "data/report/survey.py",
    "data/report/counts.py",
    "data/report/shapes.py",
    "data/report/histogram.py",
    "data/report/contact_sheet.py",
    "data/report/sampling.py",
)  # gives shards their bytes, and what is noted of them


@dataclass(frozen=True, kw_only=True)
class ShardPlan:
    """One shard to be: ``names`` of its pictures, sorted, ``groups`` of them, ``key`` of all that it will hold."""

    file: str
    split: str
    names: tuple[str, ...]
    groups: tuple[str, ...]
    key: str


def plan_shards(
    catalogue: Catalogue, splits: Mapping[str, str], groups: Mapping[str, str], classes: Sequence[str]
) -> Iterator[ShardPlan]:
    """Divide the kept pictures of each split between shards by a hash of their names."""
    way = [code_digest(*_CODE), pa.__version__, list(classes)]  # Parquet files name their writer
    shelves: dict[str, list[tuple[str, int, bytes]]] = {}
    for name, size, digest in catalogue.rows("name", "size", "digest"):
        shelves.setdefault(splits[name], []).append((name, size, digest))
    for split, rows in sorted(shelves.items()):
        count = shard_count({name: size for name, size, _ in rows})
        heaps: dict[int, list[tuple[str, bytes]]] = {}
        for name, _, digest in rows:
            heaps.setdefault(shard_of(name, count), []).append((name, digest))
        for number, heap in sorted(heaps.items()):
            yield _plan(split, number, heap, groups, way)


def shard_count(sizes: Mapping[str, int]) -> int:
    """A power of two, so that a growing dataset changes it seldom.

    Shards have at most TARGET bytes on average, and LARGEST each unless a single picture is larger.
    """
    count = 1
    while sum(sizes.values()) > count * TARGET or _heaviest(sizes, count) > LARGEST:
        count *= 2
    return count


def _heaviest(sizes: Mapping[str, int], count: int) -> int:
    """Bytes of the largest of ``count`` shards, those of a single picture apart."""
    if sum(sizes.values()) <= LARGEST:
        return 0
    weights, pictures = [0] * count, [0] * count
    for name, size in sizes.items():
        weights[shard_of(name, count)] += size
        pictures[shard_of(name, count)] += 1
    return max((weight for weight, held in zip(weights, pictures, strict=True) if held > 1), default=0)


def _plan(
    split: str, number: int, heap: Sequence[tuple[str, bytes]], groups: Mapping[str, str], way: Sequence[object]
) -> ShardPlan:
    key = hashlib.sha256(json.dumps([*way, split]).encode())
    for name, digest in heap:
        key.update(digest + groups[name].encode("utf-8") + b"\0")
    return ShardPlan(
        file=shard_file(split, number),
        split=split,
        names=tuple(name for name, _ in heap),
        groups=tuple(groups[name] for name, _ in heap),
        key=key.hexdigest(),
    )
