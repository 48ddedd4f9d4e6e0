"""The tables that ``python -m pipelines.evaluate`` prints."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from rich.console import Console
from rich.table import Table

from netwright.evaluation.border import AtBorder
from netwright.evaluation.precision_recall import PrecisionRecall
from netwright.evaluation.slices import Slice
from netwright.evaluation.tide import MEANINGS
from netwright.reporting.evaluation_confusion import ConfusionRow, lay_out_confusion
from netwright.reporting.evaluation_numbers import (
    MOST_GROUPS,
    Numbers,
    Settings,
    accuracy,
    by_letter,
    slice_name,
    worst_groups,
)
from pipelines.evaluation_lines import confusion_lines, worst_lines

_Cells = Callable[[Numbers], Mapping[str, str]]


def print_evaluations(rows: Mapping[str, Numbers], console: Console) -> None:
    """Print the tables, a column for each of ``rows``, then what is told row by row."""
    lettered = by_letter(rows)
    for letter, name in zip(lettered, rows, strict=True):
        console.print(f"{letter} = {name}")
    for title, cells in _tables(next(iter(rows.values())).settings):
        _print(console, title, {letter: cells(row) for letter, row in lettered.items()})
    _print_groups(console, lettered)
    for letter, row in lettered.items():
        _print_confusion(console, letter, row)
    for line in worst_lines(lettered):
        console.print(line)
    console.print()


def _tables(settings: Settings) -> Sequence[tuple[str, _Cells]]:
    score, advice = settings.score, "; choose a threshold on val" if settings.split == "test" else ""
    return (
        (f"Accuracy on {settings.split}, 0 to 1", _accuracy),
        ("COCO AP50-95 / AP50 by class", _by_class),
        (f"Best F1 by class, IoU 0.5 / its score threshold / AP50{advice}", _best_f1),
        ("Error types (TIDE, IoU 0.5, all detections kept, whatever their score): points of AP50 lost, count", _errors),
        (f"At the picture's border, score {score:g}: boxes / missed / false alarms", _at_border),
        ("COCO AP50-95 / AP50 by the number of boxes in a picture", lambda row: _slices(row.crowding, row.crowding)),
    )


def _accuracy(row: Numbers) -> dict[str, str]:
    return {name: _number(value) for name, value in accuracy(row).items()}


def _by_class(row: Numbers) -> dict[str, str]:
    return {name: f"{_number(one.ap)} / {_number(one.ap50)}" for name, one in row.classes.items()}


def _best_f1(row: Numbers) -> dict[str, str]:
    return {
        name: f"{one.best_f1:.4f} / {_threshold(one)} / {_number(row.classes[name].ap50)}"
        for name, one in row.curves.items()
    }


def _threshold(one: PrecisionRecall) -> str:
    return f"{one.best_score:.3f}" if one.best_f1 else "-"


def _errors(row: Numbers) -> dict[str, str]:
    return {
        f"{name}: {meaning}": f"{100 * row.errors.lost[name]:.2f}, {row.errors.counts[name]}"
        for name, meaning in MEANINGS.items()
    }


def _at_border(row: Numbers) -> dict[str, str]:
    return {
        name: " / ".join(_of(part) for part in (one.boxes, one.missed, one.false_alarms))
        for name, one in row.border.items()
    }


def _of(part: AtBorder) -> str:
    return "none" if part.share is None else f"{part.share:.0%} of {part.count}"


def _slices(found: Mapping[str, Slice], names: Iterable[str]) -> dict[str, str]:
    return {
        slice_name(name, found[name]): f"{_number(found[name].map50_95)} / {_number(found[name].map50)}"
        for name in names
    }


def _print_groups(console: Console, rows: Mapping[str, Numbers]) -> None:
    """The groups on which the last row is worst."""
    last = list(rows)[-1]
    order = worst_groups(rows[last])
    if not order:
        return
    more = f", {len(order) - MOST_GROUPS} more are not shown" if len(order) > MOST_GROUPS else ""
    title = f"COCO AP50-95 / AP50 by group, the worst of {last} first{more}"
    _print(console, title, {letter: _slices(row.groups, order[:MOST_GROUPS]) for letter, row in rows.items()})


def _print_confusion(console: Console, letter: str, row: Numbers) -> None:
    """A table; lines where the classes are too many for one."""
    where = f"at score {row.confusion.score:g}, IoU {row.confusion.iou:g}"
    lines = lay_out_confusion(row.confusion)
    if lines:
        _print(console, f"{letter}: true classes (rows) found as (columns), {where}", _confusion_columns(lines))
        return
    for line in confusion_lines(letter, row.confusion, where):
        console.print(line)
    console.print()


def _confusion_columns(lines: Sequence[ConfusionRow]) -> dict[str, dict[str, str]]:
    """Columns have the numbers of their classes: names would not fit."""
    names = [*(f"{place} {line.name}" for place, line in enumerate(lines[:-1], start=1)), "false alarms"]
    heads = [*(str(place) for place in range(1, len(lines))), "missed"]
    return {
        head: {
            name: str(line.cells[column].count)
            for name, line in zip(names, lines, strict=True)
            if column < len(line.cells)
        }
        for column, head in enumerate(heads)
    }


def _print(console: Console, title: str, columns: Mapping[str, Mapping[str, str]]) -> None:
    table = Table("", *columns, title=title, box=None, pad_edge=False, title_justify="left", title_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    table.columns[0].overflow = "fold"  # a name that is cut can neither be told apart nor copied
    for name in dict.fromkeys(name for cells in columns.values() for name in cells):
        table.add_row(name, *(cells.get(name, "") for cells in columns.values()))
    console.print(table)
    console.print()


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
