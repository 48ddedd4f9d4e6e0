"""Holding copies of one picture together while splits are chosen: what looks the same never lies in two splits."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from netwright.data.splitting.audit import DuplicatePair
from netwright.data.splitting.divide import Countable
from netwright.types import SPLITS

_LARGEST = 0.1  # of the pictures: near duplicates that chain further are one scene, and would leave nothing to divide


def hold_copies(pictures: Sequence[Countable], pairs: Iterable[DuplicatePair]) -> tuple[list[Countable], str]:
    """Join the groups of pictures that ``pairs`` name; return the pictures and a line that says how many ("": none).

    Exact duplicates are always joined, near ones as long as the joined pictures stay under a tenth of all. Where
    fewer groups than splits would be left, nothing is joined: the audit will tell.
    """
    ordered = sorted(pairs, key=lambda pair: (pair.kind, pair.distance, pair.first, pair.second))
    families = _Families(pictures)
    for pair in ordered:
        families.join(pair.first, pair.second, at_most=None if pair.kind == "exact" else _LARGEST * len(pictures))
    if families.count() < len(SPLITS):
        return list(pictures), "copies are not held together: with them, too few groups would be left to divide"
    joined = [replace(picture, group=families.group(picture)) for picture in pictures]
    held = sum(families.changed(picture) for picture in pictures)
    return joined, f"{held} pictures are held together with their copies" if held else ""


class _Families:
    """Union of groups; a family is called after its first member by name."""

    def __init__(self, pictures: Sequence[Countable]) -> None:
        self.key = {picture.name: _key(picture) for picture in pictures}
        self.parent = {key: key for key in self.key.values()}
        self.size = dict.fromkeys(self.parent, 0)
        self.joined: set[tuple[str, str]] = set()
        for key in self.key.values():
            self.size[key] += 1

    def join(self, first: str, second: str, *, at_most: float | None) -> None:
        """Make one family of two pictures' families, unless it would hold more than ``at_most`` pictures."""
        one, other = sorted((self._root(self.key[first]), self._root(self.key[second])))
        size = self.size[one] + self.size[other]
        if one == other or (at_most is not None and size > at_most):
            return
        self.parent[other] = one
        self.size[one] = size
        self.joined |= {one, other}

    def group(self, picture: Countable) -> str:
        """The family's name; "" for a picture that is alone."""
        root = self._root(self.key[picture.name])
        if root[0] == "group":
            return root[1]
        return f"copies of {root[1]}" if root in self.joined else ""

    def changed(self, picture: Countable) -> bool:
        """Whether the picture was joined with others."""
        return self._root(self.key[picture.name]) in self.joined

    def count(self) -> int:
        """How many families there are."""
        return sum(parent == key for key, parent in self.parent.items())

    def _root(self, key: tuple[str, str]) -> tuple[str, str]:
        while self.parent[key] != key:
            self.parent[key] = self.parent[self.parent[key]]
            key = self.parent[key]
        return key


def _key(picture: Countable) -> tuple[str, str]:
    return ("group", picture.group) if picture.group else ("name", picture.name)
