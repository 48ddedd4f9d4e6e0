"""What a bootstrap draws: pictures, or whole groups of them where it is known which belong together.

Pictures of one video or one patient are not independent: drawn one by one they make intervals far too narrow, so the
group is the unit (the cluster bootstrap: Davison and Hinkley 1997, section 3.8).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from netwright.errors import UserError
from netwright.evaluation.truth import Truth

_AT_ONCE = 250  # resamples: what bounds the memory


def draw_pictures(truth: Truth, resamples: int, random: np.random.Generator) -> NDArray[np.int64]:
    """How often each picture counts: once in the first row, then as drawn, (1 + resamples, N).

    As many groups as there are are drawn with replacement; a picture without one is a group of its own. Raises
    UserError where there are fewer than two: every draw would be the same.
    """
    count = count_groups(truth)
    if count < 2:
        what = f"groups of pictures, and these {len(truth)} are of one" if len(truth) > 1 else "pictures"
        raise UserError(f"an interval needs two or more {what}: measure on more")
    drawn = random.multinomial(count, np.full(count, 1 / count), size=resamples)
    return np.vstack([np.ones((1, len(truth)), dtype=np.int64), drawn[:, _group_numbers(truth)]])


def count_groups(truth: Truth) -> int:
    """Number of groups that are drawn; a picture without one is a group of its own."""
    return int(_group_numbers(truth).max(initial=-1)) + 1


def _group_numbers(truth: Truth) -> NDArray[np.int64]:
    """The group (N,) of each picture, numbered from 0 in order of appearance."""
    numbers: dict[str | int, int] = {}
    return np.array(
        [numbers.setdefault(group or place, len(numbers)) for place, group in enumerate(truth.groups)], dtype=np.int64
    )


def blocks_of(weights: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """``weights`` (B, N), some rows at a time."""
    for start in range(0, len(weights), _AT_ONCE):
        yield weights[start : start + _AT_ONCE]


def ends_of(values: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    """The percentile interval of the resamples; the first of ``values`` (1 + B,) is the one measured."""
    low, high = np.nanquantile(values[1:], [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
