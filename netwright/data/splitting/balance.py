"""Moving whole groups between splits until every column of their weights has its share."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

_SWEEPS = 8
_LEAST_GAIN = 1e-5  # smaller improvements are not worth a picture that changes its split
_DIGITS = 10  # gains that differ by less are equal: machines differ in how they round sums
_LACK = 1.0  # what it costs a split to have nothing of a column
_SWAPPED = 500  # groups at most that are also exchanged in pairs: more need no such finish
_CHUNK = 128

Matrix = NDArray[np.float64]
Places = NDArray[np.intp]


class Balance:
    """Groups in their splits: ``weights`` (groups, 1 + classes) are pictures and boxes, ``places`` (groups,) splits.

    ``shares`` say what part of each column a split should have. The cost is the sum over columns and splits of
    share * (what it has / what it should have - 1)**2, where pictures weigh as much as all classes together, and of 1
    where it has nothing.
    """

    def __init__(self, weights: Matrix, shares: Sequence[float], places: Places) -> None:
        totals = weights.sum(axis=0)
        self.weights = weights[:, totals > 0]
        totals = totals[totals > 0]
        self.wanted = np.outer(np.asarray(shares), totals)  # (splits, columns)
        self.scale = 1 / (self.wanted * totals)
        self.scale[:, 0] *= max(1, len(totals) - 1)
        self.places = places
        self.seats = self._seats()
        self.has = np.zeros_like(self.wanted)
        np.add.at(self.has, places, self.weights)

    def settle(self) -> Places:
        """Return the split of each group once none is empty and no move, and for few groups no exchange, helps."""
        self._fill_empty()
        for _ in range(_SWEEPS):
            changes = sum(self._improve(group) for group in self._hopeful())
            if len(self.weights) <= _SWAPPED:
                changes += sum(self._exchange(group) for group in range(len(self.weights)))
            if not changes:
                break
        return self.places

    def _seats(self) -> NDArray[np.bool_]:
        """Groups that count for "not empty": those with boxes, or all where there are too few of these."""
        boxed: NDArray[np.bool_] = self.weights[:, 1:].sum(axis=1) > 0
        enough = int(boxed.sum()) >= len(self.wanted)
        return boxed if enough else np.ones_like(boxed)

    def _cost(self, has: Matrix, places: Places | int) -> Matrix:
        """What rows of ``has`` (..., columns) would cost as the contents of ``places``: (...)."""
        costs: Matrix = (self.scale[places] * (has - self.wanted[places]) ** 2 + _LACK * (has <= 0)).sum(axis=-1)
        return costs

    def _hopeful(self) -> Iterator[int]:
        """Groups that looked worth a move when their chunk came up, in order."""
        everyone = np.arange(len(self.weights))
        for start in range(0, len(everyone), _CHUNK):
            chunk = everyone[start : start + _CHUNK]
            yield from chunk[self._gains(chunk).max(axis=1) > _LEAST_GAIN].tolist()

    def _gains(self, groups: Places) -> Matrix:
        """(groups, splits): by how much the cost falls when the group moves there; 0 where it is already."""
        rows, here = self.weights[groups], self.places[groups]
        now = self._cost(self.has, np.arange(len(self.has)))
        leave = now[here] - self._cost(self.has[here] - rows, here)
        gains = np.stack(
            [leave + now[split] - self._cost(self.has[split] + rows, split) for split in range(len(self.has))], axis=1
        )
        gains[np.arange(len(groups)), here] = 0
        return np.round(gains, _DIGITS)

    def _improve(self, group: int) -> bool:
        """Move ``group`` to its best split, if that helps and empties none."""
        if self.seats[group] and self._seated(int(self.places[group])) == 1:
            return False
        gains = self._gains(np.array([group]))[0]
        best = int(gains.argmax())
        if gains[best] <= _LEAST_GAIN:
            return False
        self._move(group, best)
        return True

    def _exchange(self, group: int) -> bool:
        """Let ``group`` change places with the one that this helps most, if any."""
        here, brought = int(self.places[group]), self.weights - self.weights[group]
        now = self._cost(self.has, np.arange(len(self.has)))
        gains = now[here] - self._cost(self.has[here] + brought, here)
        gains += now[self.places] - self._cost(self.has[self.places] - brought, self.places)
        # an exchange of one with boxes for one without could leave a split without any
        gains[(self.places == here) | (self.seats != self.seats[group])] = 0
        other = int(np.round(gains, _DIGITS).argmax())
        if gains[other] <= _LEAST_GAIN:
            return False
        there = int(self.places[other])
        self._move(other, here)
        self._move(group, there)
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
            gains = np.where(movable, self._gains(np.arange(len(self.weights)))[:, place], -np.inf)
            self._move(int(gains.argmax()), place)
