"""Layout of the training curves: one chart per quantity, the stages side by side along the epochs they took."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from netwright.reporting.axes import Scale, linear_ticks, padded, tick_texts

History = Sequence[Mapping[str, float]]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One stage's part: the polyline's points, the pixel range of its band, and (x, y, text) of each epoch."""

    stage: str
    path: str
    left: float
    right: float
    marks: list[tuple[float, float, str]]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A laid-out chart of ``width`` x ``height``; ticks are (pixel, text)."""

    title: str
    width: int
    height: int
    frame: tuple[float, float, float, float]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    curves: list[Curve]


def read_history(path: Path) -> list[dict[str, float]]:
    """A stage's history.csv, an entry per epoch; empty cells (not measured in that epoch) are left out."""
    with path.open(encoding="utf-8", newline="") as stream:
        return [{name: float(cell) for name, cell in row.items() if cell} for row in csv.DictReader(stream)]


def epochs_in_all(histories: Mapping[str, History]) -> dict[str, int]:
    """Epochs that each model has behind it, its forerunners' included: models are in the order they were made."""
    counts = [len(history) for history in histories.values()]
    return dict(zip(histories, accumulate(counts), strict=True))


def lay_out_curves(histories: Mapping[str, History], column: str, title: str, width: int, height: int) -> Chart | None:
    """Chart ``column`` of every stage, in the mapping's order. None where no stage has it."""
    values = [row[column] for history in histories.values() for row in history if column in row]
    if not values:
        return None
    frame = (48.0, 38.0, width - 12.0, height - 40.0)
    low, high = padded(values, 0.08)
    y = Scale(low=max(low, 0.0) if min(values) >= 0 else low, high=high, start=frame[3], end=frame[1])
    total = sum(len(history) for history in histories.values())
    x = Scale(low=0.5, high=total + 0.5, start=frame[0], end=frame[2])
    curves, before = [], 0
    for stage, history in histories.items():
        if history:
            curves.append(_curve(stage, history, column, before, x, y))
        before += len(history)
    ticks = linear_ticks(y.low, y.high, 4)
    return Chart(
        title=title,
        width=width,
        height=height,
        frame=frame,
        x_ticks=[(x(tick), f"{tick:.0f}") for tick in linear_ticks(1, total, 6) if tick == int(tick)],
        y_ticks=[(y(tick), text) for tick, text in zip(ticks, tick_texts(ticks, 0), strict=True)],
        curves=curves,
    )


def _curve(stage: str, history: History, column: str, before: int, x: Scale, y: Scale) -> Curve:
    marks = [
        (x(before + index), y(row[column]), f"{stage}, epoch {index} of {len(history)}: {row[column]:.4g}")
        for index, row in enumerate(history, start=1)
        if column in row
    ]
    return Curve(
        stage=stage,
        path=" ".join(f"{across},{up}" for across, up, _ in marks),
        left=x(before + 0.5),
        right=x(before + len(history) + 0.5),
        marks=marks,
    )
