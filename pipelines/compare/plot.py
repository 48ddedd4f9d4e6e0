"""Layout of the comparison's charts: accuracy over latency with the front, and results over each varied parameter."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from netwright.reporting.axes import Scale, linear_ticks, log_ticks, padded, tick_texts
from netwright.reporting.units import significant
from pipelines.compare.factors import Factor
from pipelines.tracking.trials import ACCURACY, LATENCY, SIZE, Trial

_MANY = 60  # points above which those off the front are drawn small
_CROWD = 200  # points above which those off the front are one path
_WIDEST = 12  # letters of a category below an axis


@dataclass(frozen=True, kw_only=True)
class Dot:
    """A trial in its place; ``kind`` (knee, front, other, out) picks its look, ``label`` stands in it."""

    run: str
    x: float
    y: float
    radius: float
    kind: str
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A laid-out chart; ticks are (pixel, text), ``line`` the points of a polyline, "" for none."""

    width: int
    height: int
    frame: tuple[float, float, float, float]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    x_name: str
    y_name: str
    dots: list[Dot]
    line: str = ""
    small: bool = False
    crowd: str = ""  # path of the dots that are too many to be drawn and pointed at one by one


def front_plot(trials: Sequence[Trial], kinds: Mapping[str, str], labels: Mapping[str, str], width: int) -> Plot | None:
    """Accuracy on val over latency (logarithmic), a dot's area the size of the file. None without a measured trial."""
    trials = [trial for trial in trials if trial.measured]
    if not trials:
        return None
    height = 440 if width > 500 else 400
    frame = (60.0, 14.0, width - 16.0, height - 46.0)
    latencies = padded([trial.metrics[LATENCY] for trial in trials], 0.08, log=True)
    accuracies = padded([trial.metrics[ACCURACY] for trial in trials], 0.1)
    x = Scale(low=latencies[0], high=latencies[1], start=frame[0], end=frame[2], log=True)
    y = Scale(low=accuracies[0], high=accuracies[1], start=frame[3], end=frame[1])
    largest = max(trial.metrics[SIZE] for trial in trials)
    dots = [
        Dot(
            run=trial.run,
            x=x(trial.metrics[LATENCY]),
            y=y(trial.metrics[ACCURACY]),
            radius=_radius(trial, kinds[trial.run], largest, len(trials)),
            kind=kinds[trial.run],
            label=labels.get(trial.run, ""),
        )
        for trial in trials
    ]
    dots, crowd = _apart(dots)
    y_ticks = linear_ticks(*accuracies, 5)
    return Plot(
        width=width,
        height=height,
        frame=frame,
        x_ticks=_log_axis(latencies, x),
        y_ticks=[(y(tick), text) for tick, text in zip(y_ticks, tick_texts(y_ticks, 2), strict=True)],
        x_name="← faster, ms (p50)",
        y_name="↑ mAP50-95 on val",
        dots=sorted(dots, key=lambda dot: (dot.kind in ("front", "knee"), -dot.radius)),
        crowd=crowd,
        line=_step_line([dot for dot in dots if dot.kind in ("front", "knee")]),
    )


def _radius(trial: Trial, kind: str, largest: float, count: int) -> float:
    if kind in ("other", "out") and count > _MANY:
        return 3.5
    widest, least = (18.0, 7.0) if count <= _MANY else (10.0, 4.0)
    return round(max(widest * math.sqrt(trial.metrics[SIZE] / largest), least), 1)


def _log_axis(span: tuple[float, float], scale: Scale) -> list[tuple[float, str]]:
    """1, 2, 5 ticks; where fewer than three of them fall into ``span``, evenly spaced ones."""
    ticks = log_ticks(*span)
    if len(ticks) >= 3:
        return [(scale(tick), significant(tick, 1)) for tick in ticks]
    ticks = linear_ticks(*span, 8)
    return [(scale(tick), text) for tick, text in zip(ticks, tick_texts(ticks, 0), strict=True)]


def _step_line(dots: Sequence[Dot]) -> str:
    """Steps through the dots that are beaten in neither accuracy nor latency, fastest first (pixels grow downwards)."""
    corners: list[tuple[float, float]] = []
    highest = float("inf")
    for dot in sorted(dots, key=lambda dot: (dot.x, dot.y)):
        if dot.y < highest:
            corners += [(dot.x, highest)] if corners else []
            corners.append((dot.x, dot.y))
            highest = dot.y
    return " ".join(f"{across},{down}" for across, down in corners)


def factor_plot(factor: Factor, values: Sequence[float | None], name: str, runs: Sequence[tuple[str, str]]) -> Plot:
    """``values`` (called ``name``, None: not known) over the factor's; ``runs`` are (run id, kind) of each."""
    width, height = 340, 220
    frame = (52.0, 22.0, width - 10.0, height - 42.0)
    known = [value for value in values if value is not None]
    low, high = padded(known, 0.1) if known else (0.0, 1.0)
    y = Scale(low=low, high=high, start=frame[3], end=frame[1])
    place, x_ticks = _across(factor, frame)
    dots, crowd = _apart(
        [
            Dot(run=run, x=place(index), y=y(value), radius=4.5, kind=kind)
            for index, (value, (run, kind)) in enumerate(zip(values, runs, strict=True))
            if value is not None
        ]
    )
    y_ticks = linear_ticks(low, high, 4)
    return Plot(
        width=width,
        height=height,
        frame=frame,
        x_ticks=x_ticks,
        y_ticks=[(y(tick), text) for tick, text in zip(y_ticks, tick_texts(y_ticks, 0), strict=True)],
        x_name=factor.name,
        y_name=name,
        dots=dots,
        crowd=crowd,
        small=True,
    )


def _apart(dots: list[Dot]) -> tuple[list[Dot], str]:
    """Those to be drawn one by one, and the others as one path of circles; none are others where all are few."""
    if len(dots) <= _CROWD:
        return dots, ""
    others = [dot for dot in dots if dot.kind not in ("front", "knee")]
    path = "".join(f"M{dot.x - 2.5} {dot.y}a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0 -5 0" for dot in others)
    return [dot for dot in dots if dot.kind in ("front", "knee")], path


def _across(
    factor: Factor, frame: tuple[float, float, float, float]
) -> tuple[Callable[[int], float], list[tuple[float, str]]]:
    """Where each trial stands on the horizontal axis, and its ticks."""
    numbers = factor.numbers
    if numbers is not None:
        low, high = padded(list(numbers), 0.08)
        scale = Scale(low=low, high=high, start=frame[0], end=frame[2])
        own = sorted(set(numbers))
        ticks = own if len(own) <= 6 else linear_ticks(low, high, 5)
        return (lambda index: scale(numbers[index])), [(scale(tick), f"{tick:g}") for tick in ticks]
    names = sorted(set(factor.values))
    scale = Scale(low=-0.5, high=len(names) - 0.5, start=frame[0], end=frame[2])
    places = {name: scale(index) for index, name in enumerate(names)}
    texts = [(place, _short(name)) for name, place in places.items()] if len(names) <= 6 else []
    return (lambda index: places[factor.values[index]]), texts


def _short(text: str) -> str:
    return (text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…") or "(none)"
