"""The closest of many 64-bit hashes by the number of bits that differ, without comparing all pairs."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

NONE = np.iinfo(np.int64).max

Hashes = NDArray[np.uint64]
Indices = NDArray[np.int64]


def closest_hashes(hashes: Hashes, places: Indices, indices: Indices, count: int, near: int) -> tuple[Indices, Indices]:
    """Each hash's closest within ``near`` bits, in its place and elsewhere: distance * count + its index, or NONE.

    Two hashes that differ in at most ``near`` bits agree in one of ``near + 1`` bands of bits (pigeonhole), so only
    hashes that share a band are compared: sorted by band, each with its first neighbour, its second, and so on.
    """
    inside, across = np.full(len(hashes), NONE), np.full(len(hashes), NONE)
    bounds = np.linspace(0, 64, near + 2).astype(int).tolist()
    for low, high in pairwise(bounds):
        turned = (hashes << np.uint64(64 - high)) | (hashes >> np.uint64(high))  # the band comes first
        order = np.argsort(turned, kind="stable")
        for left, right in _neighbours(turned[order] >> np.uint64(64 - high + low), _most_steps(len(hashes))):
            one, other = order[left], order[right]
            distance = np.bitwise_count(hashes[one] ^ hashes[other])
            hits = distance <= near
            if not hits.any():
                continue
            one, other, cost = one[hits], other[hits], distance[hits].astype(np.int64) * count
            same = places[one] == places[other]
            for best, chosen in ((inside, same), (across, ~same)):
                i, j = one[chosen], other[chosen]
                best[i] = np.minimum(best[i], cost[chosen] + indices[j])
                best[j] = np.minimum(best[j], cost[chosen] + indices[i])
    return inside, across


def _most_steps(count: int) -> int:
    """Several times as many as bands of ``count`` hashes need, unless the pictures are of one scene."""
    return max(1024, count // 64)


def _neighbours(band: Hashes, most: int) -> Iterator[tuple[Indices, Indices]]:
    """Of a sorted array: pairs of places with equal values, by rising distance, ``most`` at most, between the two."""
    left = np.arange(len(band))
    for step in range(1, min(most + 1, len(band))):
        left = left[left + step < len(band)]
        left = left[band[left] == band[left + step]]
        if not len(left):
            return
        yield left, left + step
