"""Counts in fixed bins: what can be said of millions of numbers without keeping them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

BOX_SIDES = (0, 2, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128, 181, 256, 362, 512, 724, 1024, 2048)  # pixels
BOX_SHARES = (0, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96)  # percent of the picture's side
ASPECTS = (0, 0.125, 0.167, 0.25, 0.333, 0.5, 0.667, 0.8, 1.25, 1.5, 2, 3, 4, 6, 8)  # width : height
PICTURE_SIDES = (0, 64, 128, 192, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536, 1920, 2560, 3840)
BOXES_PER_PICTURE = (0, 1, 2, 3, 4, 5, 6, 8, 11, 16, 21, 31, 51, 101, 201)
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_STEPS = 16  # fine bins to the doubling: a quantile is right to half a step, 2.2 %
_FINE = tuple(2.0 ** (step / _STEPS) for step in range(-3 * _STEPS, 15 * _STEPS + 1))


class Histogram:
    """Bin i counts values from ``starts[i]`` up to, not including, ``starts[i + 1]``; the last has no end.

    ``starts`` rise; what is below the first is counted in the first bin.
    """

    def __init__(self, starts: Sequence[float]) -> None:
        self._starts = np.asarray(starts, dtype=np.float64)
        self.counts = np.zeros(len(starts), dtype=np.int64)

    def add(self, values: NDArray[np.float64]) -> None:
        """Count ``values`` (n,)."""
        bins = np.searchsorted(self._starts, values, side="right") - 1
        self.counts += np.bincount(np.maximum(bins, 0), minlength=len(self.counts))

    def facts(self) -> dict[str, Any]:
        """``starts`` and ``counts`` as JSON values."""
        starts = [int(start) if start.is_integer() else start for start in self._starts.tolist()]
        return {"starts": starts, "counts": self.counts.tolist()}


class Lengths:
    """Least, largest and, to about 2 %, the quantiles of lengths in pixels."""

    def __init__(self) -> None:
        self._fine = Histogram(_FINE)
        self._least, self._largest = np.inf, 0.0

    def add(self, values: NDArray[np.float64]) -> None:
        """Count ``values`` (n,), all above 0."""
        self._fine.add(values)
        self._least = min(self._least, float(values.min(initial=np.inf)))
        self._largest = max(self._largest, float(values.max(initial=0.0)))

    def state(self) -> dict[str, Any]:
        """What was counted, as JSON values; ``ends`` are missing where nothing was."""
        ends = [self._least, self._largest] if self._fine.counts.any() else []
        return {"fine": self._fine.counts.tolist(), "ends": ends}

    def merge(self, state: dict[str, Any]) -> None:
        """Add what ``state`` of other lengths says."""
        self._fine.counts += np.array(state["fine"])
        if state["ends"]:
            least, largest = state["ends"]
            self._least, self._largest = min(self._least, least), max(self._largest, largest)

    def facts(self) -> dict[str, float]:
        """``min``, ``p05`` ... ``p95`` and ``max``; empty where nothing was counted."""
        below = self._fine.counts.cumsum()
        if not below[-1]:
            return {}
        middle = 2.0 ** (0.5 / _STEPS)
        places = np.searchsorted(below, np.ceil(np.array(QUANTILES) * below[-1]))
        found = [min(max(_FINE[place] * middle, self._least), self._largest) for place in places]
        named = {f"p{100 * share:02.0f}": value for share, value in zip(QUANTILES, found, strict=True)}
        return {
            name: round(value, 2) for name, value in ({"min": self._least} | named | {"max": self._largest}).items()
        }
