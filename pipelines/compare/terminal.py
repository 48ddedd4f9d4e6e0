"""The comparison as tables in the terminal."""

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.table import Table

from netwright.reporting.units import NOTHING, decimals, signed, significant
from pipelines.compare.changes import Change, Changes
from pipelines.compare.classes import ClassTable
from pipelines.compare.comparison import Comparison, Pair
from pipelines.compare.front import eligible
from pipelines.compare.importance import Importance
from pipelines.tracking.trials import ACCURACY, LATENCY, SIZE, SPEED, TEST_ACCURACY, Trial

MOST = 20  # trials that the table shows; those of the front always
_WIDTH = 110
_LONGEST_VALUE = 40


def print_comparison(comparison: Comparison, console: Console, *, every: bool = False) -> None:
    """Print the trials, the front and its knee, what mattered, and the pair."""
    console.print(_headline(comparison))
    if comparison.comparable:
        _print_trials(comparison, console, every)
    for note in comparison.notes:
        console.print(f"note: {note}")
    for trial in comparison.selection.failed:
        console.print(f"failed: {trial.told}: {trial.error or 'the run does not say why'}", style="red")
    _print_importances(comparison, console)
    if comparison.pair:
        _print_pair(comparison.pair, console)


def _headline(comparison: Comparison) -> str:
    selection = comparison.selection
    counts = [f"{len(selection.finished)} finished"]
    counts += [f"{len(selection.failed)} failed"] if selection.failed else []
    counts += [f"{len(selection.running)} running"] if selection.running else []
    counts += [f"{selection.repeated} equal to others and left out"] if selection.repeated else []
    return f"{selection.title}: {', '.join(counts)}"


def _print_trials(comparison: Comparison, console: Console, every: bool) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("#", "run"):
        table.add_column(heading)
    columns = comparison.columns
    for factor in columns:
        table.add_column(factor.names[0].replace(".", ".\n"), justify="right" if factor.numbers else "left")
    if not columns:
        table.add_column("trial", overflow="fold", ratio=1)
    for heading in ("val mAP", "test", "p50 ms", "images/s", "MB"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("")
    front, hidden = set(comparison.front.members), 0
    for place, trial in enumerate(comparison.trials, start=1):
        if not every and place > MOST and trial.run not in front:
            hidden += 1
            continue
        marks = ", ".join(marks_of(comparison, trial))
        told = [factor.values[place - 1] or NOTHING for factor in columns] or [comparison.labels[trial.run]]
        cells = (str(place), trial.run[:8], *told, *_numbers(trial), marks)
        table.add_row(*cells, style="bold" if trial.run in front else None)
    console.print(table)
    if hidden:
        console.print(f"{hidden} more with --all")
    if comparison.front.members and len(comparison.trials) > 2:
        console.print(
            "front: beaten by none in accuracy on val, latency and size; knee: nearest to the best of all three"
        )


def marks_of(comparison: Comparison, trial: Trial) -> Iterator[str]:
    """What is to be said of ``trial`` in a word or two."""
    if len(comparison.trials) > 2:
        if trial.run == comparison.front.knee:
            yield "knee"
        if trial.run in comparison.front.members:
            yield "front"
    if reason := eligible(trial):
        yield reason
    if trial.tags.get("restored") == "true":
        yield "restored"


def _numbers(trial: Trial) -> tuple[str, ...]:
    metrics = trial.metrics
    size = metrics.get(SIZE)
    return (
        decimals(metrics.get(ACCURACY), 4),
        decimals(metrics.get(TEST_ACCURACY), 4),
        significant(metrics.get(LATENCY)),
        significant(metrics.get(SPEED)),
        significant(None if size is None else size / 1e6),
    )


def _print_importances(comparison: Comparison, console: Console) -> None:
    for name, found in comparison.importances.items():
        console.print(f"\nwhat matters for {name}: {found.verdict}")
        for line in _weights(found):
            console.print(f"  {line}")


def _weights(found: Importance, most: int = 8) -> Iterator[str]:
    for weight in found.weights[:most]:
        sure = f"± {decimals(weight.spread, 2)}" if weight.spread is not None else f"p {decimals(weight.chance, 3)}"
        way = {True: "rising", False: "falling"}[(weight.direction or 0) > 0] if weight.direction is not None else ""
        told = "" if weight.clear else "not told from chance"
        share = decimals(max(weight.share, 0.0), 2)
        yield f"{weight.factor:<34} {share:>5} {sure:<9} {way if weight.clear else told}".rstrip()


def _print_pair(pair: Pair, console: Console) -> None:
    console.print(f"\nA = {pair.first.run[:8]} {pair.first.told}\nB = {pair.second.run[:8]} {pair.second.told}")
    for line in change_lines(pair.changes):
        console.print(line)
    if pair.classes:
        _print_classes(pair.classes, console)


def change_lines(changes: Changes) -> Iterator[str]:
    """What changed from A to B, a line each."""
    for title, found in (("config", changes.config), ("code", changes.code), ("measured", changes.measured)):
        yield from _section(title, found)
    yield from _section("data", changes.data)
    if changes.stages is None:
        yield "stages: a run keeps no dvc.lock"
    elif not changes.stages:
        yield "stages: all inputs and outputs are the same"
    for stage in changes.stages or ():
        yield f"stage {stage.stage}: {stage.told}"


def _section(title: str, found: Sequence[Change]) -> Iterable[str]:
    if not found:
        return [f"{title}: the same"]
    return [f"{title}: {change.what}: {_shown(change.first)} → {_shown(change.second)}" for change in found]


def _shown(value: str) -> str:
    return (value if len(value) <= _LONGEST_VALUE else f"{value[:_LONGEST_VALUE]}…") or "(none)"


def _print_classes(classes: ClassTable, console: Console) -> None:
    columns = ("mAP50-95 on " + classes.split, "A", "B", "B - A, points", "95 %", "")
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for column in table.columns[1:5]:
        column.justify = "right"
    for row in classes.rows:
        interval = NOTHING if row.low is None else f"{signed(row.low, 2)} to {signed(row.high, 2)}"
        told = {"better": "B is better", "worse": "A is better", "unclear": "these pictures cannot tell", "": ""}
        cells = (decimals(row.first, 4), decimals(row.second, 4), signed(row.points, 2), interval, told[row.verdict])
        table.add_row(row.name, *cells)
    if classes.rows:
        console.print(table)
    console.print(classes.note)


def console_for_reading() -> Console:
    """As wide as the terminal; where there is none, as wide as the tables need."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = max(console.width, _WIDTH)
    return console
