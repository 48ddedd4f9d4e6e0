"""The shards of a conversion: which pictures lie in which, and each one written once for as long as it stays the same.

A shard is kept in scratch under a key of all that is in it, and linked from there into the converted dataset: so an
unchanged one costs nothing the next time.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from netwright.artifacts.dataset import Record, Shard, shard_file, shard_of
from netwright.artifacts.shard import write_shard
from netwright.artifacts.whole_file import whole_file
from netwright.data.conversion.catalogue import Catalogue
from netwright.data.conversion.examined import Examined
from netwright.data.feeding.worker_pool import map_in_workers
from netwright.errors import UserError

TARGET, LARGEST = 64 << 20, 256 << 20  # bytes of encoded pictures in one shard
_VERSION = f"1 {pa.__version__}"  # raise it when shards of the same rows get other bytes; Parquet names its writer

Advance = Callable[[int], None]


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
    shelves: dict[str, list[tuple[str, int, bytes]]] = {}
    for name, size, digest in catalogue.rows("name", "size", "digest"):
        shelves.setdefault(splits[name], []).append((name, size, digest))
    for split, rows in sorted(shelves.items()):
        count = shard_count({name: size for name, size, _ in rows})
        heaps: dict[int, list[tuple[str, bytes]]] = {}
        for name, _, digest in rows:
            heaps.setdefault(shard_of(name, count), []).append((name, digest))
        for number, heap in sorted(heaps.items()):
            yield _plan(split, number, heap, groups, classes)


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
    split: str, number: int, heap: Sequence[tuple[str, bytes]], groups: Mapping[str, str], classes: Sequence[str]
) -> ShardPlan:
    key = hashlib.sha256(json.dumps([_VERSION, split, list(classes)]).encode())
    for name, digest in heap:
        key.update(digest + groups[name].encode("utf-8") + b"\0")
    return ShardPlan(
        file=shard_file(split, number),
        split=split,
        names=tuple(name for name, _ in heap),
        groups=tuple(groups[name] for name, _ in heap),
        key=key.hexdigest(),
    )


def make_shards(
    catalogue: Catalogue,
    plans: Sequence[ShardPlan],
    store: Path,
    classes: Sequence[str],
    *,
    workers: int,
    advance: Advance,
) -> list[Shard]:
    """Have every shard of ``plans`` in ``store``, writing those that are not there, and forget all others there."""
    ready = {plan.key: shard for plan in plans if (shard := _kept(catalogue, store, plan))}
    advance(sum(shard.images for shard in ready.values()))
    missing = [plan for plan in plans if plan.key not in ready]
    work = partial(_write, base=catalogue.path, store=store, classes=tuple(classes))
    with closing(map_in_workers(work, missing, workers=workers)) as written:
        for plan, shard in zip(missing, written, strict=True):
            ready[plan.key] = shard
            catalogue.note_shard(plan.key, json.dumps([asdict(shard), _mark(store / plan.key)]))
            catalogue.save()
            advance(shard.images)
    _prune(store, ready.keys())
    return [replace(ready[plan.key], file=plan.file) for plan in plans]


def place_shard(source: Path, target: Path) -> None:
    """Make ``source`` appear as ``target``: a link where the file system allows, otherwise a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another device, or no links there
        with whole_file(target) as temporary:
            shutil.copyfile(source, temporary)


def _kept(catalogue: Catalogue, store: Path, plan: ShardPlan) -> Shard | None:
    """The shard, if it is in the store and nobody has touched it since."""
    noted = catalogue.shard(plan.key)
    if noted is None:
        return None
    facts, mark = json.loads(noted)
    try:
        return Shard(**facts) if mark == _mark(store / plan.key) else None
    except OSError:
        return None


def _mark(path: Path) -> list[int]:
    facts = path.stat()
    return [facts.st_size, facts.st_mtime_ns, facts.st_ino]


def _prune(store: Path, wanted: Container[str]) -> None:
    for path in store.iterdir():
        if path.name not in wanted:
            path.unlink()


def _write(plan: ShardPlan, *, base: Path, store: Path, classes: tuple[str, ...]) -> Shard:
    """Write one shard to the store; runs in a worker, with the catalogue open for reading."""
    indices = {label: index for index, label in enumerate(classes)}
    groups = dict(zip(plan.names, plan.groups, strict=True))
    with Catalogue(base) as catalogue:
        rows = (
            _record(picture, plan.split, groups[picture.name], content, indices)
            for picture, content in catalogue.examined(plan.names)
        )
        return write_shard(store / plan.key, plan.split, rows)


def _record(picture: Examined, split: str, group: str, content: bytes, indices: Mapping[str, int]) -> Record:
    if hashlib.sha256(content).hexdigest() != picture.sha256:
        raise UserError(f"the picture {picture.name!r} changed while it was being converted: run convert again")
    return Record(
        name=picture.name,
        split=split,
        image=content,
        width=picture.width,
        height=picture.height,
        boxes=picture.boxes,
        labels=np.array([indices[label] for label in picture.labels], dtype=np.int64),
        difficult=picture.difficult,
        crowd=picture.crowd,
        truncated=picture.truncated,
        occluded=picture.occluded,
        group=group,
        source=picture.source,
    )
