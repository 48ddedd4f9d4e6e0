"""The shards of a conversion: which pictures lie in which, and each one written once for as long as it stays the same.

Every shard has a key of all that is in it. One that lies in the converted dataset already stays there, untouched; the
others are written in scratch and moved when the whole dataset is ready.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from netwright.artifacts.dataset import Record, Shard, shard_file, shard_of
from netwright.artifacts.shard import write_shard
from netwright.data.conversion.catalogue import Catalogue
from netwright.data.conversion.code import code_digest
from netwright.data.conversion.examined import Examined
from netwright.data.conversion.shard_files import mark_of, sound_shard
from netwright.data.feeding.worker_pool import map_in_workers
from netwright.data.report.survey import Tally
from netwright.errors import UserError

TARGET, LARGEST = 16 << 20, 64 << 20  # bytes of encoded pictures in one shard
_CODE = (
    "artifacts/record.py",
    "artifacts/shard.py",
    "data/conversion/shards.py",
    "data/conversion/catalogue_row.py",
    "data/report/survey.py",
    "data/report/counts.py",
    "data/report/shapes.py",
    "data/report/histogram.py",
    "data/report/contact_sheet.py",
    "data/report/sampling.py",
)  # gives shards their bytes, and what is noted of them

Advance = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class ShardPlan:
    """One shard to be: ``names`` of its pictures, sorted, ``groups`` of them, ``key`` of all that it will hold."""

    file: str
    split: str
    names: tuple[str, ...]
    groups: tuple[str, ...]
    key: str


class _Made(NamedTuple):
    """A shard that is written, and the tally of its pictures."""

    shard: Shard
    tally: dict[str, Any]


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


def make_shards(
    catalogue: Catalogue,
    plans: Sequence[ShardPlan],
    store: Path,
    folder: Path,
    classes: Sequence[str],
    *,
    workers: int,
    advance: Advance,
) -> tuple[list[Shard], Tally]:
    """Have every shard of ``plans`` in ``folder``, the converted dataset, or in ``store``, where new ones are written.

    Those of the store wait there for place_shards, also in a later conversion where this one fails. The tally is of
    all their pictures.
    """
    ready = {plan.key: made for plan in plans if (made := _kept(catalogue, plan, store, folder))}
    advance(sum(made.shard.images for made in ready.values()))
    missing = [plan for plan in plans if plan.key not in ready]
    work = partial(_write, base=catalogue.path, store=store, classes=tuple(classes))
    with closing(map_in_workers(work, missing, workers=workers)) as written:
        for plan, made in zip(missing, written, strict=True):
            ready[plan.key] = made
            _note(catalogue, plan, made, store / plan.key)
            catalogue.save()
            advance(made.shard.images)
    tally = Tally(classes)
    for made in ready.values():
        tally.merge(made.tally)
    return [replace(ready[plan.key].shard, file=plan.file) for plan in plans], tally


def _kept(catalogue: Catalogue, plan: ShardPlan, store: Path, folder: Path) -> _Made | None:
    """The shard, if it lies in the store or the folder as it was written."""
    noted = catalogue.noted(plan.key)
    if noted is None:
        (store / plan.key).unlink(missing_ok=True)
        return None
    facts, tally, mark = json.loads(noted)
    made = _Made(Shard(**facts), tally)
    path = sound_shard(made.shard, mark, store / plan.key, folder / plan.file)
    if path is not None and mark_of(path) != mark:
        _note(catalogue, plan, made, path)
    return made if path else None


def _note(catalogue: Catalogue, plan: ShardPlan, made: _Made, path: Path) -> None:
    catalogue.note(plan.key, json.dumps([asdict(made.shard), made.tally, mark_of(path)]))


def _write(plan: ShardPlan, *, base: Path, store: Path, classes: tuple[str, ...]) -> _Made:
    """Write one shard to the store; runs in a worker, with the catalogue open for reading."""
    indices = {label: index for index, label in enumerate(classes)}
    tally = Tally(classes)

    def rows() -> Iterator[Record]:
        for picture, group in zip(catalogue.examined(plan.names), plan.groups, strict=True):
            placed = replace(picture, split=plan.split, group=group)
            tally.add(placed)
            yield _record(placed, catalogue.picture(placed.name), indices)

    with Catalogue(base) as catalogue:
        return _Made(write_shard(store / plan.key, plan.split, rows()), tally.state())


def _record(picture: Examined, content: bytes, indices: Mapping[str, int]) -> Record:
    if hashlib.sha256(content).hexdigest() != picture.sha256:
        raise UserError(f"the picture {picture.name!r} changed while it was being converted: run convert again")
    return Record(
        name=picture.name,
        split=picture.split,
        image=content,
        width=picture.width,
        height=picture.height,
        boxes=picture.boxes,
        labels=np.array([indices[label] for label in picture.labels], dtype=np.int64),
        difficult=picture.difficult,
        crowd=picture.crowd,
        truncated=picture.truncated,
        occluded=picture.occluded,
        group=picture.group,
        source=picture.source,
    )
