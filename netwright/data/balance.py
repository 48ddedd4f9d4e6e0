"""Moving whole groups between splits until every column of their weights has its share."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_SWEEPS = 8
_LEAST_GAIN = 1e-5  # smaller improvements are not worth a picture that changes its split
_DIGITS = 10  # gains that differ by less are equal: machines differ in how they round sums
_SWAPPED = 500  # groups at most that are also exchanged in pairs: more need no such finish

Matrix = NDArray[np.float64]
Places = NDArray[np.intp]


class Division:
    """Groups in their splits: ``weights`` (groups, 1 + classes) are pictures and boxes, ``places`` (groups,) splits.

    ``shares`` say what part of each column a split should have. The cost is the sum over columns and splits of
    share * (what it has / what it should have - 1)**2, where pictures weigh as much as all classes together.
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

    def _seats(self) -> NDArray[np.bool_]:
        """Groups that count for "not empty": those with boxes, or all where there are too few of these."""
        boxed: NDArray[np.bool_] = self.weights[:, 1:].sum(axis=1) > 0
        enough = int(boxed.sum()) >= len(self.wanted)
        return boxed if enough else np.ones_like(boxed)

    def settle(self) -> Places:
        """Return the split of each group once none is empty and no move, and for few groups no exchange, helps."""
        self._fill_empty()
        for _ in range(_SWEEPS):
            hopeful = np.flatnonzero(self._gains().max(axis=1) > _LEAST_GAIN).tolist()
            changes = sum(self._improve(group) for group in hopeful)
            if len(self.weights) <= _SWAPPED:
                changes += sum(self._exchange(group) for group in range(len(self.weights)))
            if not changes:
                break
        return self.places

    def _exchange(self, group: int) -> bool:
        """Let ``group`` change places with the one that this helps most, if any."""
        surplus = self.has - self.wanted
        here = self.places[group]
        brought = self.weights - self.weights[group]
        change = (self.scale[here] * brought * (2 * surplus[here] + brought)).sum(axis=1)
        change += (self.scale[self.places] * brought * (brought - 2 * surplus[self.places])).sum(axis=1)
        # an exchange of one with boxes for one without could leave a split without any
        change[(self.places == here) | (self.seats != self.seats[group])] = 0
        other = int(np.round(change, _DIGITS).argmin())
        if change[other] >= -_LEAST_GAIN:
            return False
        there = int(self.places[other])
        self._move(other, int(here))
        self._move(group, there)
        return True

    def _gains(self) -> Matrix:
        """(groups, splits): by how much the cost falls when the group moves there; 0 where it is already."""
        surplus = (self.has - self.wanted) * self.scale
        squares = self.weights**2 @ self.scale.T
        enter = 2 * self.weights @ surplus.T + squares
        leave = enter - 2 * squares  # cost of being there, over not being there
        rows = np.arange(len(self.weights))
        gains: Matrix = np.round(leave[rows, self.places][:, None] - enter, _DIGITS)
        gains[rows, self.places] = 0
        return gains

    def _improve(self, group: int) -> bool:
        """Move ``group`` to its best split, if that helps and empties none."""
        row, place = self.weights[group], int(self.places[group])
        if self.seats[group] and self._seated(place) == 1:
            return False
        surplus = 2 * (self.has - self.wanted) * self.scale
        enter = (surplus * row + self.scale * row**2).sum(axis=1)
        gains = np.round((surplus[place] * row - self.scale[place] * row**2).sum() - enter, _DIGITS)
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
