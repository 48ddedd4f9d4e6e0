"""Looking for the same picture twice: leakage where the two lie in different splits, waste where they do not.

Exact duplicates have the same bytes. Near duplicates have perceptual hashes (see perceptual_hash) that differ in at
most NEAR bits. Measured (benchmarks/duplicate_audit.py) on BCCD, whose blood cells all look alike, and on 2,000
embedded scenes, against copies of the same pictures: re-encoded (JPEG quality 50 to 90), resized (0.5 to 1.5), or with
brightness or contrast moved by a tenth, 99.9 % are found or more; cropped by 2 % all around 99.6 and 100 %, by 2 % at
one corner 77 and 90 %. Of BCCD's 66,066 pairs one is flagged, and rightly: one field of view, photographed twice
(BloodImage_00037 and 00038, 4 bits apart; the next pair is 14 bits apart). Of 32 million pairs of 8,000 scenes none is;
8 bits would flag 1 of them, 10 bits 23.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from netwright.data.checks.perceptual_hash import FLAT
from netwright.data.splitting.hash_search import NONE, Hashes, Indices, closest_hashes
from netwright.errors import UserError
from netwright.types import SPLITS

NEAR = 6  # bits, of 64


@dataclass(frozen=True, kw_only=True, slots=True)
class DuplicatePair:
    """Two pictures that are the same, or nearly; ``distance`` is in bits, 0 for exact ones.

    ``first`` comes from the earlier split (train, val, test), or by name within one split.
    """

    kind: Literal["exact", "near"]
    first: str
    second: str
    first_split: str
    second_split: str
    distance: int

    @property
    def leaks(self) -> bool:
        """Whether the two lie in different splits."""
        return self.first_split != self.second_split


def find_duplicates(
    names: Sequence[str], splits: Sequence[str], sha256s: Sequence[str], phashes: Hashes, *, near: int = NEAR
) -> list[DuplicatePair]:
    """Find the duplicates among pictures given by name (unique), split, sha256 and perceptual hash (N,) uint64.

    Every picture with a twin comes in at least one pair: with its closest one in another split, and with its closest
    one in its own, exact before near. Not every pair of a large cluster is listed: the result grows with the pictures,
    not with their square. (Where one scene gives thousands of different hashes within a few bits, each is compared
    with the thousand next to it when sorted, so the very closest may be missed.) Pairs across splits come first, then
    exact before near, closer before further, by name. The order of the input does not matter. A hash that is FLAT is
    near nothing.
    """
    if not names:
        return []
    order = sorted(range(len(names)), key=lambda index: (_rank(splits[index]), names[index]))
    places = np.array([_rank(splits[index]) for index in order], dtype=np.int64)
    numbers: dict[str, int] = {}
    contents = np.array([numbers.setdefault(sha256s[index], len(numbers)) for index in order], dtype=np.int64)
    pairs = [
        DuplicatePair(
            kind="exact" if contents[first] == contents[second] else "near",
            first=names[order[first]],
            second=names[order[second]],
            first_split=splits[order[first]],
            second_split=splits[order[second]],
            distance=distance,
        )
        for first, second, distance in _pairs(contents, np.asarray(phashes, dtype=np.uint64)[order], places, near)
    ]
    return sorted(pairs, key=lambda pair: (not pair.leaks, pair.kind, pair.distance, pair.first, pair.second))


def judge_leakage(pairs: Iterable[DuplicatePair], leakage: str) -> str:
    """Say in a line which pairs lie across splits, "" if none; raise it as UserError where ``leakage`` is "fail"."""
    leaks = [pair for pair in pairs if pair.leaks]
    if not leaks:
        return ""
    first = leaks[0]
    alike = "equal bytes" if first.kind == "exact" else f"{first.distance} of 64 hash bits differ"
    count = "1 pair of pictures lies" if len(leaks) == 1 else f"{len(leaks)} pairs of pictures lie"
    line = (
        f"{count} across splits and show the same or nearly so, first {first.first!r} ({first.first_split}) and "
        f"{first.second!r} ({first.second_split}; {alike}): remove one of each, or keep both in one split "
        "(by split files or dataset.split.group_by)"
    )
    if leakage == "fail":
        raise UserError(f"{line}; dataset.leakage: warn converts all the same")
    return line


def _rank(split: str) -> int:
    return SPLITS.index(split) if split in SPLITS else len(SPLITS)


def _pairs(contents: Indices, hashes: Hashes, places: Indices, near: int) -> Iterator[tuple[int, int, int]]:
    """Index pairs, the lower first, and their distance, each once."""
    exact = set(_cluster_pairs(contents, places))
    twinned = {(index, bool(places[pair[0]] == places[pair[1]])) for pair in exact for index in pair}
    for first, second in exact:
        yield first, second, 0
    for (first, second), distance in _near_pairs(hashes, places, near).items():
        together = bool(places[first] == places[second])
        if (first, together) not in twinned or (second, together) not in twinned:
            yield first, second, distance


def _cluster_pairs(clusters: Indices, places: Indices) -> Iterator[tuple[int, int]]:
    """Each member of a cluster with the first one of its own split, and with the first one of another split."""
    anchors: dict[int, dict[int, int]] = {}
    several = np.flatnonzero(np.bincount(clusters)[clusters] > 1)
    members = list(zip(several.tolist(), clusters[several].tolist(), places[several].tolist(), strict=True))
    for index, cluster, place in members:
        anchors.setdefault(cluster, {}).setdefault(place, index)
    for index, cluster, place in members:
        own = anchors[cluster][place]
        if own != index:
            yield own, index
        other = next((anchor for split, anchor in anchors[cluster].items() if split != place), None)
        if other is not None:
            yield min(index, other), max(index, other)


def _near_pairs(hashes: Hashes, places: Indices, near: int) -> dict[tuple[int, int], int]:
    """Pairs with their distance: each picture's closest in its own split, and in another.

    Pictures of one split with one hash are compared with the rest once, through the first of them.
    """
    telling = np.flatnonzero(hashes != FLAT)
    keys = np.stack([hashes[telling], places[telling].astype(np.uint64)])
    _, first, owner = np.unique(keys, axis=1, return_index=True, return_inverse=True)
    anchors = telling[first]
    inside, across = closest_hashes(hashes[anchors], places[anchors], anchors, len(hashes), near)
    pairs: dict[tuple[int, int], int] = {}
    owner = owner.reshape(-1)
    near_some = (inside[owner] != NONE) | (across[owner] != NONE) | (anchors[owner] != telling)
    for index, anchor in zip(telling[near_some].tolist(), owner[near_some].tolist(), strict=True):
        if index != anchors[anchor]:
            pairs[int(anchors[anchor]), index] = 0
        for best in (inside[anchor] if index == anchors[anchor] else NONE, across[anchor]):
            if best != NONE:
                distance, partner = divmod(int(best), len(hashes))
                pairs[min(index, partner), max(index, partner)] = distance
    return pairs
