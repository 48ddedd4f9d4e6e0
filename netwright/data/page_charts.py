"""Histograms and the heat map, laid out as bars and cells for the page's own SVG."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 340, 170
_LEFT, _TOP, _BOTTOM = 6, 18, 22
_TICKS = 9  # labels that fit below a chart
CELL = 10  # of the heat map


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

    ``whole`` says that values are whole numbers: a bin's label then stands below its middle, not at its start.
    """
    starts, counts = histogram["starts"], histogram["counts"]
    used = [index for index, count in enumerate(counts) if count]
    shown = range(used[0], used[-1] + 1) if used else range(0)
    most = max(counts, default=0)
    width = (WIDTH - 2 * _LEFT) / max(len(shown), 1)
    room = HEIGHT - _TOP - _BOTTOM
    step = -(-len(shown) // _TICKS) or 1
    bars = []
    for place, index in enumerate(shown):
        tall = room * counts[index] / most
        left = _LEFT + place * width
        bars.append(
            Bar(
                x=round(left + 1, 1),
                y=round(HEIGHT - _BOTTOM - tall, 1),
                width=round(max(width - 2, 1), 1),
                height=round(tall, 1),
                label=_name(starts, index, whole=whole) if place % step == 0 else "",
                label_x=round(left + (width / 2 if whole else 1), 1),
                anchor="middle" if whole else "start",
                tip=f"{_range(starts, index, whole=whole)}: {counts[index]:,}",
            )
        )
    return Chart(title=title, hint=hint, bars=bars, most=most)


def _name(starts: Sequence[float], index: int, *, whole: bool) -> str:
    return (
        _range(starts, index, whole=True).replace(" to ", "–").replace(" or more", "+")
        if whole
        else f"{starts[index]:g}"
    )


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
