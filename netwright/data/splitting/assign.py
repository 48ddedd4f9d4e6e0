"""Every picture's split: the dataset's own where it brings one, divided where it does not."""

from collections.abc import Mapping, Sequence

from netwright.data.splitting.divide import Countable, divide
from netwright.errors import UserError
from netwright.types import SPLITS


def assign_splits(
    pictures: Sequence[Countable], own: Mapping[str, str], *, shares: Mapping[str, float], seed: int
) -> tuple[dict[str, str], str]:
    """Map each picture's name to its split, and say in a line where the splits come from.

    ``own`` maps names to the splits that the dataset brings, "" or nothing for the rest. Own val and test pictures
    stay where they are. Where a split is missing, it is taken from own train and the rest, by ``shares`` (train, val,
    test; see divide); where none is missing, the rest joins train. Raises UserError as divide does, and where train
    would stay empty.
    """
    _check_splits(shares)
    brought = {picture.name: own.get(picture.name, "") for picture in pictures}
    present = [split for split in SPLITS if split in set(brought.values())]
    if not present:
        found = divide(pictures, shares=shares, seed=seed)
        return found, f"divided {_percent(shares)} by classes and groups, seed {seed}: the dataset brings no splits"
    missing = [split for split in SPLITS[1:] if split not in present]
    pool = [picture for picture in pictures if brought[picture.name] in {"", SPLITS[0]}]
    if not pool:
        raise UserError(
            f"the dataset brings {' and '.join(present)} alone, so nothing is left for train: add pictures or split "
            "files for train"
        )
    taken = _taken(pool, missing, shares, seed)
    return dict(sorted((brought | taken).items())), _told(present, missing, brought, shares, seed)


def parted_groups(pictures: Sequence[Countable], splits: Mapping[str, str]) -> tuple[str, ...]:
    """Groups with pictures in several splits, sorted: only own splits part them."""
    homes: dict[str, set[str]] = {}
    for picture in pictures:
        if picture.group:
            homes.setdefault(picture.group, set()).add(splits[picture.name])
    return tuple(sorted(group for group, places in homes.items() if len(places) > 1))


def _taken(pool: Sequence[Countable], missing: Sequence[str], shares: Mapping[str, float], seed: int) -> dict[str, str]:
    if not missing:
        return {picture.name: SPLITS[0] for picture in pool}
    parts = {split: shares[split] for split in missing}
    return divide(pool, shares={SPLITS[0]: 1 - sum(parts.values()), **parts}, seed=seed)


def _told(
    present: Sequence[str], missing: Sequence[str], brought: Mapping[str, str], shares: Mapping[str, float], seed: int
) -> str:
    line = f"the dataset's own splits: {', '.join(present)}"
    unlisted = sum(not split for split in brought.values())
    if unlisted:
        line += f"; {unlisted} pictures in none of them joined train"
    if missing:
        parts = _percent({split: shares[split] for split in missing})
        line += f"; {parts} taken from train by classes and groups, seed {seed}"
    return line


def _percent(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{split} {share:.4g}" for split, share in shares.items())


def _check_splits(shares: Mapping[str, float]) -> None:
    if set(shares) != set(SPLITS):
        raise UserError(
            f"dataset.split.shares has {', '.join(sorted(shares)) or 'nothing'}: give a share for each of "
            f"{', '.join(SPLITS)}"
        )
