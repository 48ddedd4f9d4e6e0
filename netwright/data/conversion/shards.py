"""The shards of a conversion, each one written once for as long as it stays the same.

Every shard has a key of all that is in it (shard_plans). One that lies in the converted dataset
already stays there, untouched; the others are written in scratch and moved when the whole dataset is ready.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from netwright.artifacts.dataset import Record, Shard
from netwright.artifacts.shard import write_shard
from netwright.data.conversion.catalogue import Catalogue
from netwright.data.conversion.examined import Examined
from netwright.data.conversion.shard_files import mark_of, sound_shard
from netwright.data.conversion.shard_plans import ShardPlan
from netwright.data.feeding.worker_pool import map_in_workers
from netwright.data.report.survey import Tally
from netwright.errors import UserError

Advance = Callable[[int], None]


class _Made(NamedTuple):
    """A shard that is written, and the tally of its pictures."""

    shard: Shard
    tally: dict[str, Any]


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
