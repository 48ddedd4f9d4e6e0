"""A few of many, chosen by a hash of the name: the same whatever the order in which they come."""

import hashlib
import heapq
from collections.abc import Iterator
from functools import lru_cache
from typing import Generic, TypeVar

Thing = TypeVar("Thing")


@lru_cache(maxsize=16)  # a picture is offered in several places, one after the other
def place_of(name: str) -> int:
    """A 64-bit number for ``name``, as good as random."""
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8], "big")


class Lowest(Generic[Thing]):
    """The ``count`` things, of all that are offered, whose names have the lowest places."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._heap: list[tuple[int, str, Thing]] = []

    def offer(self, name: str, thing: Thing) -> None:
        """Take ``thing``, or leave it; no name may come twice."""
        rank = (-place_of(name), name)
        if len(self._heap) < self._count:
            heapq.heappush(self._heap, (*rank, thing))
        elif self._count and rank > self._heap[0]:
            heapq.heapreplace(self._heap, (*rank, thing))

    def __iter__(self) -> Iterator[Thing]:
        """The things, by name."""
        return (thing for _, _, thing in sorted(self._heap, key=lambda entry: entry[1]))
