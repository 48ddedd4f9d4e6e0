"""A few of many, chosen by a hash of the name: the same whatever the order in which they come."""

import hashlib
import heapq
from collections.abc import Iterator
from functools import lru_cache


@lru_cache(maxsize=16)  # a picture is offered in several places, one after the other
def place_of(name: str) -> int:
    """A 64-bit number for ``name``, as good as random."""
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8], "big")


class Lowest:
    """The ``count`` names, of all that are offered, that have the lowest places."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._heap: list[tuple[int, str]] = []

    def offer(self, name: str) -> None:
        """Take ``name``, or leave it; none may come twice."""
        entry = (-place_of(name), name)
        if len(self._heap) < self._count:
            heapq.heappush(self._heap, entry)
        elif self._count and entry > self._heap[0]:
            heapq.heapreplace(self._heap, entry)

    def __iter__(self) -> Iterator[str]:
        """The names, sorted."""
        return iter(sorted(name for _, name in self._heap))
