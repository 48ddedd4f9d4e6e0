"""The evaluation as a page for people: curves, confusions and the worst pictures beside the numbers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from netwright.evaluation.slices import Slice
from netwright.reporting.evaluation_confusion import MOST_CLASSES, largest_confusions, lay_out_confusion
from netwright.reporting.evaluation_curves import MOST_CHARTS, precision_recall_charts, reliability_chart
from netwright.reporting.evaluation_numbers import (
    MOST_GROUPS,
    Numbers,
    accuracy,
    by_letter,
    counted,
    slice_name,
    worst_groups,
)
from netwright.reporting.evaluation_pictures import draw_worst
from netwright.reporting.page import write_page


def write_evaluation_page(
    path: Path, *, rows: Mapping[str, Numbers], dataset: str, folder: Path, compared: Sequence[str]
) -> None:
    """Write the page whole to ``path``.

    ``rows`` are up to eight by name, ``dataset`` is its name and ``folder`` where it was converted to, for the
    pictures; ``compared`` are the lines that say which of two rows is better.
    """
    lettered = by_letter(rows)
    last = list(lettered)[-1]
    settings, truth = lettered[last].settings, lettered[last].shown.truth
    charts, classes = precision_recall_charts(lettered)
    pictures, trouble = draw_worst(lettered[last], folder)
    boxes = sum(len(labels) for labels in truth.labels)
    write_page(
        path,
        "evaluation.html",
        title=f"{dataset}: evaluation on {settings.split}",
        summary=f"{counted(len(truth), 'picture')}, {counted(boxes, 'box', 'boxes')}. Shares are 0 to 1.",
        split=settings.split,
        score=settings.score,
        names=dict(zip(lettered, rows, strict=True)),
        rows=lettered,
        last=last,
        compared=compared,
        accuracy=_side_by_side({letter: accuracy(row) for letter, row in lettered.items()}),
        charts=charts,
        chart_classes=classes,
        most_charts=MOST_CHARTS,
        most_classes=MOST_CLASSES,
        reliability=reliability_chart({letter: row.calibration for letter, row in lettered.items()}),
        confusions={letter: lay_out_confusion(row.confusion) for letter, row in lettered.items()},
        largest={letter: largest_confusions(row.confusion) for letter, row in lettered.items()},
        slices=_slices(lettered, last),
        pictures=pictures,
        trouble=trouble,
    )


def _side_by_side(columns: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Each name of ``columns``' first with its values, a column after the other."""
    return {name: [column[name] for column in columns.values()] for name in next(iter(columns.values()))}


def _slices(rows: Mapping[str, Numbers], last: str) -> list[dict[str, Any]]:
    """Tables of accuracy on parts of the pictures: by crowding and, where there are groups, by group."""
    crowding = _side_by_side({letter: row.crowding for letter, row in rows.items()})
    groups = _side_by_side({letter: row.groups for letter, row in rows.items()})
    order = worst_groups(rows[last])
    hidden = max(len(order) - MOST_GROUPS, 0)
    more = f"And {counted(hidden, 'group')} more, on which {last} does better." if hidden else ""
    tables = [("By the number of boxes in a picture", "", crowding)]
    if groups:
        tables.append(
            (f"By group, the worst of {last} first", more, {name: groups[name] for name in order[:MOST_GROUPS]})
        )
    return [{"title": title, "more": more, "rows": _named(table)} for title, more, table in tables]


def _named(table: Mapping[str, list[Slice]]) -> dict[str, list[Slice]]:
    return {slice_name(name, parts[0]): parts for name, parts in table.items()}
