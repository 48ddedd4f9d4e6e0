"""What ``python -m pipelines.evaluate`` prints as plain lines."""

from collections.abc import Iterable, Iterator, Mapping

from netwright.evaluation.bootstrap import Comparison, PairedBootstrap, drawn_units
from netwright.evaluation.confusion import Confusion
from netwright.reporting.evaluation_confusion import largest_confusions
from netwright.reporting.evaluation_numbers import Numbers, counted, worst_line

WORST = 5


def worst_lines(rows: Mapping[str, Numbers]) -> Iterator[str]:
    """The worst pictures of each row, under a title; names are whole, so that they can be copied."""
    yield f"Worst pictures at score {next(iter(rows.values())).settings.score:g}"
    for letter, row in rows.items():
        for place, one in enumerate(row.worst[:WORST], start=1):
            yield f"{letter} {place}. {one.name}: {worst_line(one)}"
        if not row.worst:
            yield f"{letter} no picture has an error"


def confusion_lines(letter: str, confusion: Confusion, where: str) -> Iterator[str]:
    """The largest confusions of two classes, under a title that counts what is missed and invented."""
    missed, alarms = int(confusion.missed.sum()), int(confusion.false_alarms.sum())
    yield f"{letter}: largest confusions of two classes {where}; {missed} missed, {counted(alarms, 'false alarm')}"
    yield from [f"  {line}" for line in largest_confusions(confusion)] or ["  none"]


def comparison_lines(compared: PairedBootstrap) -> Iterable[str]:
    """B minus A in points of 0.01, with its interval, for both accuracies."""
    of_what = f"{drawn_units(compared)} drawn {compared.resamples} times, seed {compared.seed}"
    yield f"B - A in points, {compared.confidence:.0%} paired bootstrap interval over {of_what}:"
    pairs: tuple[tuple[str, Comparison], ...] = (("mAP50-95", compared.map50_95), ("mAP50", compared.map50))
    for name, pair in pairs:
        low, high = 100 * pair.difference.low, 100 * pair.difference.high
        verdict = "B is better" if low > 0 else "A is better" if high < 0 else "these pictures cannot tell"
        yield f"  {name:<8} {100 * pair.difference.value:+.2f} ({low:+.2f} to {high:+.2f}): {verdict}"
