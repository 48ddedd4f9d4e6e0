"""Histograms and the heat map, laid out as bars and cells for the page's own SVG."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 340, 170
_LEFT, _TOP, _BOTTOM = 6, 18, 22
_TICKS = 9  # labels that fit below a chart
_RANGES = 5  # labels such as 448–512 that do
_WIDEST = 64  # bar
CELL = 10  # side of the heat map's


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bin; its label, "" for none, stands at ``label_x``."""

    x: float
    y: float
    width: float
    height: float
    label: str
    label_x: float
    anchor: str
    tip: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A histogram; ``most`` is the count of its highest bar."""

    title: str
    hint: str
    bars: list[Bar]
    most: int


def lay_out(histogram: Mapping[str, Any], title: str, hint: str, *, whole: bool = False) -> Chart:
    """Bars for a histogram of the report, without the empty bins at both ends.

    ``whole`` says that values are whole numbers. Where there is room, labels are ranges below the middle of their
    bars, otherwise the start of each bin.
    """
    starts, counts = histogram["starts"], histogram["counts"]
    used = [index for index, count in enumerate(counts) if count]
    shown = range(used[0], used[-1] + 1) if used else range(0)
    most = max(counts, default=0)
    width = min((WIDTH - 2 * _LEFT) / max(len(shown), 1), _WIDEST)
    step = -(-len(shown) // _TICKS) or 1
    ranges = whole or len(shown) <= _RANGES
    bars = []
    for place, index in enumerate(shown):
        tall = (HEIGHT - _TOP - _BOTTOM) * counts[index] / most
        left, text = _LEFT + place * width, _range(starts, index, whole=whole)
        label = text.replace(" to ", "–").replace(" or more", "+") if ranges else f"{starts[index]:g}"
        bars.append(
            Bar(
                x=round(left + 1, 1),
                y=round(HEIGHT - _BOTTOM - tall, 1),
                width=round(width - 2, 1),
                height=round(tall, 1),
                label=label if place % step == 0 else "",
                label_x=round(left + (width / 2 if ranges else 1), 1),
                anchor="middle" if ranges else "start",
                tip=f"{text}: {counts[index]:,}",
            )
        )
    return Chart(title=title, hint=hint, bars=bars, most=most)


def _range(starts: Sequence[float], index: int, *, whole: bool) -> str:
    start = f"{starts[index]:g}"
    if index + 1 == len(starts):
        return f"{start} or more"
    end = starts[index + 1] - (1 if whole else 0)
    return start if end == starts[index] else f"{start} to {end:g}"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell of the heat map; ``strength`` 0..1."""

    x: int
    y: int
    strength: float
    tip: str


def lay_out_heat(rows: Sequence[Sequence[int]]) -> list[Cell]:
    """The cells that any box covers."""
    most = max((count for row in rows for count in row), default=0)
    return [
        Cell(x=column * CELL, y=line * CELL, strength=round(count / most, 3), tip=f"{count:,} boxes")
        for line, row in enumerate(rows)
        for column, count in enumerate(row)
        if count
    ]
