"""Dividing pictures between the splits: groups stay whole, every class gets its share, the seed decides the rest.

Every group first falls where a hash of its name and the seed puts it; then groups are moved, the largest and those
with the rarest classes first, until no move brings the shares of pictures and of each class's boxes closer to what
was asked. Starting from the hash keeps the division steady: a picture more or less moves few of the others. (Sechidis
et al., "On the Stratification of Multi-Label Data", 2011, fill empty splits instead: there one picture moves them all.)
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netwright.errors import UserError

_SWEEPS = 8
_LEAST_GAIN = 1e-9  # smaller improvements are rounding

Matrix = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Countable:
    """What dividing needs of a picture: ``group`` is never cut ("": alone), ``counts`` are boxes per class."""

    name: str
    group: str
    counts: tuple[int, ...]


def divide(pictures: Sequence[Countable], *, shares: Mapping[str, float], seed: int) -> dict[str, str]:
    """Map each picture's name to a split of ``shares`` (each over 0, summing to 1), in the order of the names.

    The result does not depend on the order of ``pictures``. Every split gets a group, and one with boxes where there
    are as many. Raises UserError for shares that make no sense and for fewer groups than splits.
    """
    _check_shares(shares)
    members = _members(pictures)
    _check_groups(members, pictures, shares)
    keys = _ordered(members, pictures, seed)
    weights = np.array([_weights(members[key], pictures) for key in keys], dtype=np.float64)
    places = _Division(weights, tuple(shares.values()), _hashed_places(keys, shares, seed)).settle()
    splits = tuple(shares)
    found = {pictures[i].name: splits[place] for key, place in zip(keys, places, strict=True) for i in members[key]}
    return dict(sorted(found.items()))


class _Division:
    """Groups in their splits: ``weights`` (groups, 1 + classes) are pictures and boxes, ``places`` (groups,) splits.

    The cost is the sum over columns and splits of share * (what it has / what it should have - 1)**2.
    """

    def __init__(self, weights: Matrix, shares: Sequence[float], places: NDArray[np.intp]) -> None:
        totals = weights.sum(axis=0)
        self.weights = weights[:, totals > 0]
        totals = totals[totals > 0]
        self.wanted = np.outer(np.asarray(shares), totals)  # (splits, columns)
        self.scale = 1 / (self.wanted * totals)
        self.scale[:, 0] *= max(1, len(totals) - 1)  # pictures weigh as much as all classes together
        self.places = places
        self.seats = self._seats()
        self.has = np.zeros_like(self.wanted)
        np.add.at(self.has, places, self.weights)

    def _seats(self) -> NDArray[np.bool_]:
        """Groups that count for "not empty": those with boxes, or all where there are too few of these."""
        boxed: NDArray[np.bool_] = self.weights[:, 1:].sum(axis=1) > 0
        enough = int(boxed.sum()) >= len(self.wanted)
        return boxed if enough else np.ones_like(boxed)

    def settle(self) -> NDArray[np.intp]:
        """Move groups until nothing is empty and no move helps."""
        self._fill_empty()
        for _ in range(_SWEEPS):
            hopeful = np.flatnonzero(self._gains().max(axis=1) > _LEAST_GAIN).tolist()
            if not sum(self._improve(group) for group in hopeful):
                break
        return self.places

    def _gains(self) -> Matrix:
        """(groups, splits): by how much the cost falls when the group moves there; 0 where it is already."""
        surplus = (self.has - self.wanted) * self.scale
        squares = self.weights**2 @ self.scale.T
        enter = 2 * self.weights @ surplus.T + squares
        leave = enter - 2 * squares  # cost of being there, over not being there
        rows = np.arange(len(self.weights))
        gains: Matrix = leave[rows, self.places][:, None] - enter
        gains[rows, self.places] = 0
        return gains

    def _improve(self, group: int) -> bool:
        """Move ``group`` to its best split, if that helps and empties none."""
        row, place = self.weights[group], int(self.places[group])
        if self.seats[group] and self._seated(place) == 1:
            return False
        surplus = 2 * (self.has - self.wanted) * self.scale
        enter = (surplus * row + self.scale * row**2).sum(axis=1)
        gains = (surplus[place] * row - self.scale[place] * row**2).sum() - enter
        gains[place] = 0
        best = int(gains.argmax())
        if gains[best] <= _LEAST_GAIN:
            return False
        self._move(group, best)
        return True

    def _move(self, group: int, place: int) -> None:
        self.has[self.places[group]] -= self.weights[group]
        self.has[place] += self.weights[group]
        self.places[group] = place

    def _seated(self, place: int) -> int:
        return int(np.count_nonzero(self.seats & (self.places == place)))

    def _fill_empty(self) -> None:
        """Give each empty split the group whose move costs least, from splits that keep one."""
        for place in range(len(self.wanted)):
            if self._seated(place):
                continue
            spare = np.array([self._seated(other) > 1 for other in range(len(self.wanted))])
            movable = self.seats & spare[self.places]
            gains = np.where(movable, self._gains()[:, place], -np.inf)
            self._move(int(gains.argmax()), place)


def _members(pictures: Sequence[Countable]) -> dict[tuple[str, str], list[int]]:
    """(kind, group or name) to the indices of its pictures."""
    members: dict[tuple[str, str], list[int]] = {}
    for index, picture in enumerate(pictures):
        key = ("group", picture.group) if picture.group else ("name", picture.name)
        members.setdefault(key, []).append(index)
    return members


def _weights(indices: Sequence[int], pictures: Sequence[Countable]) -> list[int]:
    """Number of pictures, then boxes per class."""
    columns = zip(*(pictures[index].counts for index in indices), strict=True)
    return [len(indices), *map(sum, columns)]


def _ordered(
    members: Mapping[tuple[str, str], list[int]], pictures: Sequence[Countable], seed: int
) -> list[tuple[str, str]]:
    """Largest or rarest first, by powers of two; in the seed's order among equals."""
    weights = {key: _weights(indices, pictures) for key, indices in members.items()}
    totals = [sum(column) or 1 for column in zip(*weights.values(), strict=True)]

    def rank(key: tuple[str, str]) -> tuple[int, float]:
        largest = max(value / total for value, total in zip(weights[key], totals, strict=True))
        return -math.frexp(largest)[1], _place(key, seed)

    return sorted(members, key=rank)


def _hashed_places(keys: Sequence[tuple[str, str]], shares: Mapping[str, float], seed: int) -> NDArray[np.intp]:
    """The split of each group by its hash alone."""
    bounds = np.cumsum(list(shares.values()))[:-1]
    return np.searchsorted(bounds, [_place(key, seed) for key in keys], side="right")


def _place(key: tuple[str, str], seed: int) -> float:
    """A number 0..1 that the key and the seed decide."""
    digest = hashlib.sha256(f"{seed}:{key[0]}:{key[1]}".encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _check_shares(shares: Mapping[str, float]) -> None:
    for split, share in shares.items():
        if not share > 0:
            raise UserError(f"dataset.split.shares.{split} is {share}: every split needs a share above 0")
    if not math.isclose(sum(shares.values()), 1, abs_tol=1e-6):
        told = ", ".join(f"{split} {share}" for split, share in shares.items())
        raise UserError(f"dataset.split.shares are {told}, together {sum(shares.values()):g}: make them 1 together")


def _check_groups(
    members: Mapping[tuple[str, str], list[int]], pictures: Sequence[Countable], shares: Mapping[str, float]
) -> None:
    if len(members) < len(shares):
        raise UserError(
            f"{len(pictures)} pictures in {len(members)} groups cannot be divided into {', '.join(shares)} without "
            "cutting a group: set dataset.split.group_by to none, or to a regular expression that finds more groups"
        )
