"""Two runs' deployed models class by class, with paired bootstrap intervals where their raw results are there."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netwright.artifacts.report import REPORT, row_name
from netwright.errors import UserError
from pipelines.compare.files import fetch, read_json
from pipelines.evidence import DEPLOYED, RAW, TRUTH
from pipelines.trials import Trial
from stages import paths

if TYPE_CHECKING:
    from mlflow import MlflowClient

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


def compare_classes(
    client: "MlflowClient", first: Trial, second: Trial, draws: Draws, *, data: Path, scratch: Path
) -> ClassTable:
    """Compare ``second`` with ``first`` on the pictures of ``draws.split``.

    ``data`` is this project's converted dataset: its labels serve where the runs do not keep their own, if it is the
    same content. Files of the runs are fetched below ``scratch``.
    """
    found = [fetch(client, trial, (RAW / DEPLOYED).as_posix(), scratch) for trial in (first, second)]
    if None in found:
        return _reported(client, (first, second), draws.split, "a run keeps no raw detections", scratch)
    truth = _truth(client, first, draws.split, data, scratch)
    if truth is None:
        return _reported(client, (first, second), draws.split, "the labels they were measured by are not here", scratch)
    evaluations = [_evaluation(path, truth, draws.split) for path in found if path is not None]
    return _with_intervals(evaluations[0], evaluations[1], draws)


def _with_intervals(one: "Evaluation", other: "Evaluation", draws: Draws) -> ClassTable:
    from netwright.evaluation.bootstrap import class_bootstrap, paired_bootstrap

    overall = paired_bootstrap([one], [other], resamples=draws.resamples, seed=draws.seed)
    classes = class_bootstrap(one, other, resamples=draws.resamples, seed=draws.seed)
    note = f"95 % intervals of a paired bootstrap: {overall.pictures} pictures drawn {draws.resamples} times"
    if len(classes) > 1:
        note += f"; each stands for itself, so 1 in 20 of {len(classes)} classes would seem to differ by chance"
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


def _truth(client: "MlflowClient", trial: Trial, split: str, data: Path, scratch: Path) -> "Truth | None":
    from netwright.artifacts.dataset import MANIFEST, read_manifest

    folder = fetch(client, trial, (RAW / TRUTH).as_posix(), scratch)
    if folder is None:
        here = (data / MANIFEST).is_file() and read_manifest(data).fingerprint == trial.tags.get("dataset.fingerprint")
        folder = data if here else None
    return None if folder is None else _as_counted(folder, split)


def _as_counted(folder: Path, split: str) -> "Truth":
    """The labels as the benchmark counts: a box marked as difficult or as a crowd is a box like any."""
    import numpy as np

    from netwright.evaluation.truth import read_truth

    truth = read_truth(folder, split)
    none = tuple(np.zeros(len(labels), dtype=np.bool_) for labels in truth.labels)
    return replace(truth, difficult=none, crowd=none)


def _evaluation(path: Path, truth: "Truth", split: str) -> "Evaluation":
    from netwright.evaluation.detections import read_detections
    from netwright.evaluation.evaluation import evaluate

    try:
        found = {name: row for _, _, own, name, row in read_detections(path) if own == split}
        return evaluate(truth, [found[name] for name in truth.names])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"the detections of run {path.parts[-2]} do not fit its labels ({error})") from None


def _reported(client: "MlflowClient", pair: tuple[Trial, Trial], split: str, reason: str, scratch: Path) -> ClassTable:
    """The differences of what the runs' reports say, without intervals."""
    told = [_per_class(client, trial, split, scratch) for trial in pair]
    rows = []
    for name in dict.fromkeys([*told[0], *told[1]]):
        first, second = (values.get(name) for values in told)
        points = None if first is None or second is None else POINTS * (second - first)
        rows.append(ClassRow(name=name, first=first, second=second, points=points))
    return ClassTable(split=split, rows=tuple(rows), note=f"no intervals: {reason}")


def _per_class(client: "MlflowClient", trial: Trial, split: str, scratch: Path) -> Mapping[str, float]:
    """mAP50-95 overall and of each class, as the run's report has them; empty where it keeps none."""
    path = fetch(client, trial, (paths.REPORTS / REPORT).as_posix(), scratch)
    report: Mapping[str, Any] = {} if path is None else read_json(path)
    rows: list[Mapping[str, Any]] = report.get("rows", [])
    row: Mapping[str, Any] = next((row for row in rows if row_name(row) == report.get("deployed")), {})
    accuracy = row.get(split) or {}
    overall = {_OVERALL: accuracy["map50_95"]} if "map50_95" in accuracy else {}
    return overall | dict(accuracy.get("per_class") or {})
