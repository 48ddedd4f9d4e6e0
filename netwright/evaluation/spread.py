"""Mean and spread of a number over seeds."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Spread:
    """``mean``, ``low`` and ``high`` of ``count`` values, and their sample ``deviation`` (n - 1; None for one)."""

    mean: float
    deviation: float | None
    low: float
    high: float
    count: int


def spread(values: Sequence[float]) -> Spread:
    """Spread of ``values``, one for each seed. Raises ValueError without any, and for one that is not finite."""
    if not values or not all(abs(value) < float("inf") for value in values):
        raise ValueError(f"spread needs finite values, one for each seed, and was given {list(values)}")
    return Spread(
        mean=statistics.fmean(values),
        deviation=statistics.stdev(values) if len(values) > 1 else None,
        low=min(values),
        high=max(values),
        count=len(values),
    )
