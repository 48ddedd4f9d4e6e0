"""Two runs' deployed models class by class, with paired bootstrap intervals where their raw results are there."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netwright.artifacts.report import row_name
from netwright.errors import UserError
from pipelines.compare.files import RunFiles, read_json

if TYPE_CHECKING:
    from netwright.evaluation.bootstrap import Comparison
    from netwright.evaluation.evaluation import Evaluation
    from netwright.evaluation.truth import Truth

POINTS = 100  # of accuracies 0..1
_OVERALL = "all classes"


@dataclass(frozen=True, kw_only=True)
class Draws:
    """``split`` whose pictures are drawn ``resamples`` times."""

    split: str = "val"
    resamples: int = 1000
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class ClassRow:
    """mAP50-95 of both runs, 0..1, second minus first in points, and the 95 % interval of that; None: not known."""

    name: str
    first: float | None
    second: float | None
    points: float | None
    low: float | None = None
    high: float | None = None

    @property
    def verdict(self) -> str:
        """better, worse, unclear: what the interval says of the second run; "" without one."""
        if self.low is None or self.high is None:
            return ""
        return "better" if self.low > 0 else "worse" if self.high < 0 else "unclear"


@dataclass(frozen=True, kw_only=True)
class ClassTable:
    """``rows`` begin with all classes together; ``note`` says what the intervals rest on, or why there are none."""

    split: str
    rows: tuple[ClassRow, ...]
    note: str


def compare_classes(first: RunFiles, second: RunFiles, draws: Draws, labels: Path | None) -> ClassTable:
    """Compare the second run with the first on the pictures of ``draws.split``.

    ``labels`` is a converted dataset with the runs' content, for runs that keep no labels of their own; None: not here.
    Raises UserError where the files of a run do not fit together.
    """
    truth = first.truth or labels
    if first.detections is None or second.detections is None:
        return _reported((first, second), draws.split, "a run keeps no raw detections")
    if truth is None:
        return _reported((first, second), draws.split, "the labels they were measured by are not here")
    from netwright.evaluation.truth import read_truth

    counted = read_truth(truth, draws.split).with_crowds_as_boxes()
    one, other = (_evaluation(path, counted, draws.split) for path in (first.detections, second.detections))
    try:
        return _with_intervals(one, other, draws)
    except UserError as error:  # too few pictures, or all of one video
        return _reported((first, second), draws.split, str(error))


def _with_intervals(one: "Evaluation", other: "Evaluation", draws: Draws) -> ClassTable:
    from netwright.evaluation.bootstrap import class_bootstrap, drawn_units, paired_bootstrap

    overall = paired_bootstrap([one], [other], resamples=draws.resamples, seed=draws.seed)
    classes = class_bootstrap(one, other, resamples=draws.resamples, seed=draws.seed)
    note = f"95 % intervals of a paired bootstrap: {drawn_units(overall)} drawn {draws.resamples} times"
    if len(classes) > 1:
        note += "; each stands for itself: of twenty classes that do not differ, one would seem to"
    rows = [_row(_OVERALL, overall.map50_95), *(_row(name, pair) for name, pair in classes.items())]
    return ClassTable(split=draws.split, rows=tuple(rows), note=note)


def _row(name: str, pair: "Comparison") -> ClassRow:
    difference = pair.difference
    return ClassRow(
        name=name,
        first=pair.first.value,
        second=pair.second.value,
        points=POINTS * difference.value,
        low=POINTS * difference.low,
        high=POINTS * difference.high,
    )


def _evaluation(path: Path, truth: "Truth", split: str) -> "Evaluation":
    from netwright.evaluation.detections import read_detections
    from netwright.evaluation.evaluation import evaluate

    try:
        found = {name: row for *_, name, row in read_detections(path, split)}
        return evaluate(truth, [found[name] for name in truth.names])
    except (OSError, KeyError, TypeError, ValueError) as error:
        run = path.parents[2].name
        raise UserError(f"the detections of run {run} do not fit its labels ({error})") from None


def _reported(pair: tuple[RunFiles, RunFiles], split: str, reason: str) -> ClassTable:
    """The differences of what the runs' reports say, without intervals."""
    told = [_per_class(files.report, split) for files in pair]
    rows = []
    for name in dict.fromkeys([*told[0], *told[1]]):
        first, second = (values.get(name) for values in told)
        points = None if first is None or second is None else POINTS * (second - first)
        rows.append(ClassRow(name=name, first=first, second=second, points=points))
    return ClassTable(split=split, rows=tuple(rows), note=f"no intervals: {reason}")


def _per_class(path: Path | None, split: str) -> Mapping[str, float]:
    """mAP50-95 overall and of each class, as the run's report has them; empty where it keeps none."""
    report: Mapping[str, Any] = {} if path is None else read_json(path)
    rows: list[Mapping[str, Any]] = report.get("rows", [])
    row: Mapping[str, Any] = next((row for row in rows if row_name(row) == report.get("deployed")), {})
    accuracy = row.get(split) or {}
    overall = {_OVERALL: accuracy["map50_95"]} if "map50_95" in accuracy else {}
    return overall | dict(accuracy.get("per_class") or {})
