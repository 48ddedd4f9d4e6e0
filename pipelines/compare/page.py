"""The comparison as one self-contained HTML page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from netwright.reporting.page import write_page
from netwright.reporting.units import amount, decimals, significant
from pipelines.compare.classes import ClassTable
from pipelines.compare.comparison import OBJECTIVES, Comparison
from pipelines.compare.front import eligible
from pipelines.compare.plot import Plot, factor_plot, front_plot
from pipelines.compare.terminal import marks_of
from pipelines.tracking.trials import ACCURACY, LATENCY, SIZE, SPEED, TEST_ACCURACY, Trial

_MOST_NUMBERED = 60  # trials up to which those of the front bear their numbers
_MOST_FACTORS = 4  # whose charts are drawn, heaviest first
_BAR, _CHART = 260.0, 420.0  # pixels: a whole importance, the width of the interval chart


def write_comparison_page(path: Path, comparison: Comparison, links: Mapping[str, str]) -> None:
    """Write the page whole to ``path``; ``links`` are texts and addresses of MLflow's own views."""
    places = {trial.run: str(place) for place, trial in enumerate(comparison.trials, start=1)}
    kinds = {trial.run: _kind(comparison, trial) for trial in comparison.trials}
    few = len(comparison.trials) <= _MOST_NUMBERED
    numbered = {run: places[run] for run in comparison.front.members if few}
    tips = {trial.run: _tip(comparison, trial, places[trial.run]) for trial in comparison.trials}
    plots = {
        "wide": front_plot(comparison.trials, kinds, numbered, 1040),
        "narrow": front_plot(comparison.trials, kinds, numbered, 390),
    }
    write_page(
        path,
        "compare.html",
        package="pipelines.compare",
        title=comparison.selection.title[0].upper() + comparison.selection.title[1:],
        summary=_summary(comparison),
        comparison=comparison,
        comparable=comparison.comparable,
        plots=plots if comparison.comparable else {"wide": None, "narrow": None},
        rows=[_row(comparison, trial, index) for index, trial in enumerate(comparison.trials)],
        columns=comparison.columns,
        tips=tips,
        cards=_cards(comparison),
        factor_plots=_factor_plots(comparison, kinds) if comparison.comparable else [],
        intervals=_intervals(comparison.pair.classes) if comparison.pair and comparison.pair.classes else None,
        names={trial.run: comparison.labels[trial.run] for trial in comparison.trials},
        bar=_BAR,
        links=links,
    )


def _kind(comparison: Comparison, trial: Trial) -> str:
    if trial.run == comparison.front.knee:
        return "knee"
    if trial.run in comparison.front.members:
        return "front"
    return "out" if eligible(trial) else "other"


def _summary(comparison: Comparison) -> str:
    selection = comparison.selection
    told = [f"{len(selection.finished)} finished trials"]
    told += [f"{len(selection.failed)} failed"] if selection.failed else []
    told += [f"{len(selection.running)} running"] if selection.running else []
    dataset = comparison.trials[0].tags.get("dataset", "")
    return f"{dataset}: {', '.join(told)}. Everything is chosen on val; test is shown."


def _cards(comparison: Comparison) -> list[dict[str, str]]:
    """Most accurate, knee, fastest and smallest of the front."""
    members = [trial for trial in comparison.trials if trial.run in comparison.front.members]
    if not members or len(comparison.trials) < 3:
        return []
    knee = next((trial for trial in members if trial.run == comparison.front.knee), None)
    chosen = {
        "Most accurate": members[0],
        "Knee": knee,
        "Fastest": min(members, key=lambda trial: trial.metrics[LATENCY]),
        "Smallest": min(members, key=lambda trial: trial.metrics[SIZE]),
    }
    return [
        {
            "name": name,
            "value": decimals(trial.metrics[ACCURACY], 3),
            "numbers": f"{significant(trial.metrics[LATENCY])} ms, {amount(trial.metrics[SIZE], 'B')}",
            "note": comparison.labels[trial.run],
            "run": trial.run,
        }
        for name, trial in chosen.items()
        if trial is not None
    ]


def _row(comparison: Comparison, trial: Trial, index: int) -> dict[str, Any]:
    metrics = trial.metrics
    return {
        "index": index,
        "place": str(index + 1),
        "run": trial.run,
        "label": comparison.labels[trial.run],
        "val": metrics.get(ACCURACY),
        "test": metrics.get(TEST_ACCURACY),
        "latency": metrics.get(LATENCY),
        "speed": metrics.get(SPEED),
        "size": metrics.get(SIZE),
        "marks": list(marks_of(comparison, trial)),
    }


def _tip(comparison: Comparison, trial: Trial, place: str) -> str:
    metrics = trial.metrics
    lines = (
        f"{place}: {comparison.labels[trial.run]}",
        f"mAP50-95 {decimals(metrics.get(ACCURACY), 4)} val, {decimals(metrics.get(TEST_ACCURACY), 4)} test",
        f"p50 {significant(metrics.get(LATENCY))} ms, {amount(metrics.get(SIZE), 'B')}",
        ", ".join(marks_of(comparison, trial)),
    )
    return "\n".join(line for line in lines if line)


def _factor_plots(comparison: Comparison, kinds: Mapping[str, str]) -> list[list[Plot]]:
    """A row of charts for each of the heaviest factors: accuracy, latency, size."""
    weights: dict[str, float] = {}
    for found in comparison.importances.values():
        for weight in found.weights:
            weights[weight.factor] = max(weights.get(weight.factor, 0.0), weight.share)
    factors = sorted(comparison.factors, key=lambda factor: -weights.get(factor.name, 0.0))[:_MOST_FACTORS]
    runs = [(trial.run, kinds[trial.run]) for trial in comparison.trials]
    scaled = {ACCURACY: 1.0, LATENCY: 1.0, SIZE: 1e-6}
    names = {ACCURACY: "mAP50-95 on val", LATENCY: "p50, ms", SIZE: "MB"}
    return [
        [
            factor_plot(
                factor, [_scaled(trial, metric, scaled[metric]) for trial in comparison.trials], names[metric], runs
            )
            for metric in OBJECTIVES.values()
        ]
        for factor in factors
        if len(comparison.trials) > 2
    ]


def _scaled(trial: Trial, metric: str, factor: float) -> float | None:
    value = trial.metrics.get(metric)
    return None if value is None else value * factor


def _intervals(classes: ClassTable) -> dict[str, Any]:
    """Pixels of each class's difference and interval on one common scale that holds 0."""
    ends = [value for row in classes.rows for value in (row.points, row.low, row.high) if value is not None]
    span = max([abs(value) for value in ends] or [1.0]) * 1.05 or 1.0

    def pixel(value: float | None) -> float | None:
        return None if value is None else round(_CHART / 2 * (1 + value / span), 1)

    return {
        "width": _CHART,
        "zero": _CHART / 2,
        "span": span,
        "rows": [
            {"row": row, "middle": pixel(row.points), "low": pixel(row.low), "high": pixel(row.high)}
            for row in classes.rows
        ],
    }
