"""Every kept picture's split and group: groups are found, copies held together, and the rest is divided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from netwright.data.conversion.catalogue import Catalogue
from netwright.data.conversion.catalogue_row import class_names
from netwright.data.splitting.assign import assign_splits, parted_groups
from netwright.data.splitting.audit import DuplicatePair, find_duplicates
from netwright.data.splitting.copies import hold_copies
from netwright.data.splitting.divide import Countable
from netwright.data.splitting.groups import group_pictures
from netwright.types import SPLITS


@dataclass(frozen=True, kw_only=True)
class SplitPolicy:
    """How pictures are divided: ``shares`` of the splits, summing to 1; ``group_by`` as in groups.py."""

    group_by: str
    shares: Mapping[str, float]
    seed: int


@dataclass(frozen=True, kw_only=True)
class Division:
    """Split and group ("": none) of every kept picture by its name, and a line each on where they come from.

    ``duplicates`` are pictures that are the same or nearly so, with their splits.
    """

    splits: Mapping[str, str]
    groups: Mapping[str, str]
    origin: str
    group_origin: str
    duplicates: Sequence[DuplicatePair]


def divide_dataset(catalogue: Catalogue, classes: Sequence[str], policy: SplitPolicy) -> Division:
    """Decide on the split of every kept picture; the dataset's own splits stay as they are.

    Only a dataset that is divided here has its groups looked for. Raises UserError as the modules named above do.
    """
    own = dict(catalogue.rows("name", "split"))
    pictures = _countables(catalogue, classes)
    group_origin = "declared by the dataset" if any(picture.group for picture in pictures) else ""
    if not set(SPLITS) <= set(own.values()):
        pictures, group_origin = group_pictures(pictures, policy.group_by)
        pictures, held = hold_copies(pictures, _duplicates(catalogue, {}))
        group_origin += f"; {held}" if held else ""
    splits, origin = assign_splits(pictures, own, shares=policy.shares, seed=policy.seed)
    parted = parted_groups(group_pictures(pictures, policy.group_by)[0], splits)
    if parted:
        origin += f"; they part {len(parted)} of its groups (dataset.split.group_by), first {parted[0]!r}"
    return Division(
        splits=splits,
        groups={picture.name: picture.group for picture in pictures},
        origin=origin,
        group_origin=group_origin,
        duplicates=_duplicates(catalogue, splits),
    )


def _countables(catalogue: Catalogue, classes: Sequence[str]) -> list[Countable]:
    @lru_cache(maxsize=50_000)
    def counts_of(labels: str) -> tuple[int, ...]:
        found = class_names(labels)
        return tuple(map(found.count, classes))

    return [
        Countable(name=name, group=group, counts=counts_of(labels))
        for name, group, labels in catalogue.rows("name", "grouping", "labels")
    ]


def _duplicates(catalogue: Catalogue, splits: Mapping[str, str]) -> list[DuplicatePair]:
    """Pairs of duplicates; where ``splits`` is empty, as if all pictures lay in one."""
    rows = list(catalogue.rows("name", "sha256", "phash"))
    names = [name for name, _, _ in rows]
    hashes = np.array([phash for _, _, phash in rows], dtype=np.int64).view(np.uint64)
    return find_duplicates(names, [splits.get(name, "") for name in names], [sha for _, sha, _ in rows], hashes)
