"""Layout of the evaluation's charts: precision over recall of each class, and the share of right over the score."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from netwright.evaluation.calibration import Calibration, CalibrationBin
from netwright.evaluation.precision_recall import PrecisionRecall
from netwright.reporting.axes import Scale, linear_ticks
from netwright.reporting.evaluation_numbers import Numbers, counted

MOST_CHARTS = 20


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A dot on a line, and what it says."""

    x: float
    y: float
    radius: float
    tip: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """One row's: ``letter`` picks its colour and its dashes."""

    letter: str
    path: str
    marks: list[Mark]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Both axes run from 0 to 1; ticks are (pixel, text)."""

    title: str
    width: int
    height: int
    frame: tuple[float, float, float, float]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    lines: list[Line]


def precision_recall_charts(rows: Mapping[str, Numbers]) -> tuple[list[Chart], int]:
    """A chart for each class with truth, in class order, those with most boxes where they are too many.

    The second value says how many classes there are.
    """
    first = next(iter(rows.values()))
    boxes = np.bincount(np.concatenate(first.shown.truth.labels), minlength=len(first.classes))
    known = [(place, name) for place, name in enumerate(first.classes) if name in first.curves]
    most = sorted(known, key=lambda entry: -boxes[entry[0]])[:MOST_CHARTS]
    charts = [
        _chart(
            f"{name} ({counted(int(boxes[place]), 'box', 'boxes')})",
            {letter: row.curves[name] for letter, row in rows.items()},
        )
        for place, name in sorted(most)
    ]
    return charts, len(known)


def _chart(title: str, curves: Mapping[str, PrecisionRecall]) -> Chart:
    x, y, chart = _axes(title, 280, 240)
    chart.lines.extend(_curve(letter, curve, x, y) for letter, curve in curves.items() if curve.precision.any())
    return chart


def _axes(title: str, width: int, height: int) -> tuple[Scale, Scale, Chart]:
    """An empty chart and its scales."""
    frame = (38.0, 24.0, width - 12.0, height - 40.0)
    x = Scale(low=0, high=1, start=frame[0], end=frame[2])
    y = Scale(low=0, high=1, start=frame[3], end=frame[1])
    ticks = linear_ticks(0, 1, 5)
    return (
        x,
        y,
        Chart(
            title=title,
            width=width,
            height=height,
            frame=frame,
            x_ticks=[(x(tick), f"{tick:.1f}") for tick in ticks],
            y_ticks=[(y(tick), f"{tick:.1f}") for tick in ticks],
            lines=[],
        ),
    )


def _curve(letter: str, curve: PrecisionRecall, x: Scale, y: Scale) -> Line:
    """Up to the last recall that is reached, with a dot at the best F1."""
    points = list(zip(curve.recall.tolist(), curve.precision.tolist(), strict=True))
    recall, precision = max(points, key=lambda point: point[0] * point[1] / (sum(point) or 1))
    tip = (
        f"{letter}: best F1 {curve.best_f1:.3f} at score {curve.best_score:.3f}\n"
        f"precision {precision:.3f}, recall {recall:.2f}"
    )
    return Line(
        letter=letter,
        path=" ".join(f"{x(across)},{y(up)}" for across, up in points if up > 0),
        marks=[Mark(x=x(recall), y=y(precision), radius=4.5, tip=tip)],
    )


def reliability_chart(rows: Mapping[str, Calibration]) -> Chart:
    """The share of right detections over the score, a dot for each bin, its area the share of detections in it."""
    x, y, chart = _axes("Share of right detections over the score", 460, 380)
    for letter, found in rows.items():
        used = [part for part in found.bins if part.count]
        marks = list(_bins(letter, used, found.count, x, y))
        if marks:
            chart.lines.append(Line(letter=letter, path=" ".join(f"{mark.x},{mark.y}" for mark in marks), marks=marks))
    return chart


def _bins(letter: str, bins: list[CalibrationBin], count: int, x: Scale, y: Scale) -> Iterator[Mark]:
    for part in bins:
        tip = (
            f"{letter}: {counted(part.count, 'detection')} of score {part.low:.1f} to {part.high:.1f}\n"
            f"mean score {part.confidence:.3f}, {part.accuracy:.1%} right"
        )
        radius = round(3 + 8 * (part.count / count) ** 0.5, 1)
        yield Mark(x=x(part.confidence), y=y(part.accuracy), radius=radius, tip=tip)
