"""The confusion matrix as people read it: whole while there are few classes, else its largest confusions."""

from dataclasses import dataclass

from netwright.evaluation.confusion import Confusion

MOST_CLASSES = 20
LARGEST = 10


@dataclass(frozen=True, kw_only=True)
class Cell:
    """``share`` of the true class, 0..1; None in the last row, which has none. ``right`` is the diagonal."""

    count: int
    share: float | None
    right: bool
    tip: str


@dataclass(frozen=True, kw_only=True)
class ConfusionRow:
    """Of one true class; the last is of false alarms."""

    name: str
    cells: list[Cell]


def lay_out_confusion(confusion: Confusion) -> list[ConfusionRow]:
    """A row for each class, then that of false alarms; none where the classes are too many for a table."""
    classes = confusion.classes
    if len(classes) > MOST_CLASSES:
        return []
    return [_row(confusion, place) for place in range(len(classes) + 1)]


def _row(confusion: Confusion, place: int) -> ConfusionRow:
    classes, counts = confusion.classes, confusion.counts[place].tolist()
    alarms = place == len(classes)
    own, total = "nothing there" if alarms else classes[place], sum(counts)
    shown = counts[:-1] if alarms else counts  # what is neither there nor found is not counted
    return ConfusionRow(
        name=own,
        cells=[
            Cell(
                count=count,
                share=None if alarms else count / total if total else 0.0,
                right=column == place,
                tip=f"{own}: {count} " + ("missed" if column == len(classes) else f"found as {classes[column]}"),
            )
            for column, count in enumerate(shown)
        ],
    )


def largest_confusions(confusion: Confusion) -> list[str]:
    """The most frequent confusions of two classes, most first, as lines: ``12 truck found as car``."""
    classes, counts = confusion.classes, confusion.counts[:-1, :-1].copy()
    counts[range(len(classes)), range(len(classes))] = 0
    order = (-counts).ravel().argsort(kind="stable")[:LARGEST]
    pairs = [divmod(int(place), len(classes)) for place in order]
    return [f"{counts[pair]} {classes[pair[0]]} found as {classes[pair[1]]}" for pair in pairs if counts[pair]]
