"""The tables that ``python -m pipelines.evaluate`` prints."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from functools import partial

from rich.console import Console
from rich.table import Table

from netwright.evaluation.bootstrap import Comparison, PairedBootstrap
from netwright.evaluation.border import AtBorder, border_errors
from netwright.evaluation.calibration import calibration
from netwright.evaluation.coco_numbers import class_numbers, coco_numbers
from netwright.evaluation.evaluation import Evaluation
from netwright.evaluation.pascal_voc import pascal_voc
from netwright.evaluation.tao import tao
from netwright.evaluation.tide import MEANINGS, error_types
from netwright.evaluation.worst import worst_pictures


def print_evaluations(
    evaluations: Mapping[str, Evaluation], console: Console, *, split: str, iou: float, score: float
) -> None:
    """Print the tables, a column for each of ``evaluations``; ``iou`` is that of Pascal VOC's and TAO's AP."""
    for name in evaluations:
        console.print(f"{_letter(evaluations, name)} = {name}")
    tables: tuple[tuple[str, Callable[[Evaluation], Mapping[str, str]]], ...] = (
        (f"Accuracy on {split}, 0 to 1", partial(_accuracy, iou=iou)),
        ("COCO AP50-95 / AP50 by class", _by_class),
        ("Error types (TIDE, IoU 0.5): points of AP50 lost, count", _errors),
        (f"At the picture's border, score {score:g}: boxes / missed / false alarms", partial(_at_border, score=score)),
        (f"Worst pictures: F1 at score {score:g}, missed, false alarms", partial(_worst, score=score)),
    )
    for title, cells in tables:
        _print(console, title, {_letter(evaluations, name): cells(row) for name, row in evaluations.items()})


def comparison_lines(compared: PairedBootstrap) -> Iterable[str]:
    """B minus A in points of 0.01, with its interval, for both accuracies."""
    of_what = f"{compared.pictures} pictures drawn {compared.resamples} times, seed {compared.seed}"
    yield f"B - A in points, {compared.confidence:.0%} paired bootstrap interval over {of_what}:"
    pairs: tuple[tuple[str, Comparison], ...] = (("mAP50-95", compared.map50_95), ("mAP50", compared.map50))
    for name, pair in pairs:
        low, high = 100 * pair.difference.low, 100 * pair.difference.high
        verdict = "B is better" if low > 0 else "A is better" if high < 0 else "these pictures cannot tell"
        yield f"  {name:<8} {100 * pair.difference.value:+.2f} ({low:+.2f} to {high:+.2f}): {verdict}"


def _accuracy(row: Evaluation, *, iou: float) -> dict[str, str]:
    voc = pascal_voc(row, iou=iou)
    nvidia = tao(row, iou=dict.fromkeys(row.truth.classes, iou))
    others = {
        f"Pascal VOC 2007, 11 points, IoU {iou:g}": voc.map07,
        f"Pascal VOC 2010+, area, IoU {iou:g}": voc.map,
        f"TAO sample, IoU {iou:g}": nvidia.map_sample,
        f"TAO integrate, IoU {iou:g}": nvidia.map_integrate,
        "calibration error (ECE), IoU 0.5": calibration(row).error,
    }
    twelve = {
        f"COCO {name[:2].upper()}{name[2:].replace('_', ' ')}": value
        for name, value in asdict(coco_numbers(row)).items()
    }
    return {name: _number(value) for name, value in (twelve | others).items()}


def _by_class(row: Evaluation) -> dict[str, str]:
    return {name: f"{_number(one.ap)} / {_number(one.ap50)}" for name, one in class_numbers(row).items()}


def _errors(row: Evaluation) -> dict[str, str]:
    found = error_types(row)
    return {
        f"{name}: {meaning}": f"{100 * found.lost[name]:.2f}, {found.counts[name]}"
        for name, meaning in MEANINGS.items()
    }


def _at_border(row: Evaluation, *, score: float) -> dict[str, str]:
    return {
        name: " / ".join(_of(part) for part in (one.boxes, one.missed, one.false_alarms))
        for name, one in border_errors(row, score=score).items()
    }


def _of(part: AtBorder) -> str:
    return "none" if part.share is None else f"{part.share:.0%} of {part.count}"


def _worst(row: Evaluation, *, score: float) -> dict[str, str]:
    worst = worst_pictures(row, count=5, score=score)
    return {
        str(place): f"{one.name}: {one.f1:.2f}, {one.missed}, {one.false_alarms}"
        for place, one in enumerate(worst, start=1)
    }


def _print(console: Console, title: str, columns: Mapping[str, Mapping[str, str]]) -> None:
    table = Table("", *columns, title=title, box=None, pad_edge=False, title_justify="left", title_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    for name in dict.fromkeys(name for cells in columns.values() for name in cells):
        table.add_row(name, *(cells.get(name, "") for cells in columns.values()))
    console.print(table)
    console.print()


def _letter(evaluations: Mapping[str, Evaluation], name: str) -> str:
    return chr(ord("A") + list(evaluations).index(name))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
