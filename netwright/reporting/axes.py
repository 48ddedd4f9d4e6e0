"""Scales and round tick values for the drawn charts."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Maps ``low..high`` of the data to ``start..end`` pixels, linearly or by logarithm (then ``low`` > 0)."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The pixel of ``value``, to a tenth."""
        low, high, here = (math.log(x) if self.log else x for x in (self.low, self.high, value))
        share = (here - low) / (high - low) if high > low else 0.5
        return round(self.start + share * (self.end - self.start), 1)


def linear_ticks(low: float, high: float, count: int) -> list[float]:
    """About ``count`` multiples of 1, 2 or 5 times a power of ten inside ``low..high``."""
    if high <= low:
        return [low]
    rough = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 10) for index in range(first, last + 1)]


def tick_texts(ticks: list[float], least: int) -> list[str]:
    """``ticks``, evenly spaced, with as many decimals as tell them apart, and at least ``least``."""
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    digits = max(least, math.ceil(-math.log10(step) - 1e-6))
    return [f"{tick:.{digits}f}" for tick in ticks]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten inside ``low..high`` (> 0); only powers where those would crowd."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if math.log10(high / low) < 2.5 else (1,)
    ticks = [round(factor * 10.0**decade, 10) for decade in decades for factor in factors]
    return [tick for tick in ticks if low <= tick <= high]


def padded(values: list[float], share: float, *, log: bool = False) -> tuple[float, float]:
    """The range of ``values``, widened on both sides by ``share`` of itself; of a single value by a tenth of it."""
    low, high = min(values), max(values)
    if log:
        margin = max((high / low) ** share, 1.15)
        return low / margin, high * margin
    margin = (high - low) * share or max(abs(high) * 0.1, 0.01)
    return low - margin, high + margin
