"""Everything that a comparison finds out, for the terminal and the page alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.compare.changes import Changes, changes
from pipelines.compare.classes import ClassTable, Draws, compare_classes
from pipelines.compare.factors import Factor, labels, varied
from pipelines.compare.files import fetch, read_lock
from pipelines.compare.front import Front, pareto_front
from pipelines.compare.importance import Importance, importance
from pipelines.compare.selection import Selection
from pipelines.trials import ACCURACY, LATENCY, SIZE, Trial

if TYPE_CHECKING:
    from mlflow import MlflowClient

OBJECTIVES = {"mAP50-95 on val": ACCURACY, "latency (p50)": LATENCY, "size": SIZE}
_MOST_COLUMNS = 4
_CIRCUMSTANCES = ("deployed.device", "deployed.runtime", "deployed.threads", "deployed.batch")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two runs held against each other; ``classes`` is None where their accuracies cannot be compared."""

    first: Trial
    second: Trial
    changes: Changes
    classes: ClassTable | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """``trials`` best first (accuracy on val), ``labels`` what sets each apart, by run id as ``front`` has them."""

    selection: Selection
    trials: tuple[Trial, ...]
    labels: Mapping[str, str]
    factors: tuple[Factor, ...]  # values in the order of ``trials``
    front: Front
    importances: Mapping[str, Importance]  # by name of the objective
    pair: Pair | None
    notes: tuple[str, ...]

    @property
    def columns(self) -> tuple[Factor, ...]:
        """The factors where they are few enough for a column each, else none."""
        return self.factors if len(self.factors) <= _MOST_COLUMNS else ()

    @property
    def comparable(self) -> bool:
        """Whether all trials were measured on the same pictures."""
        return same_data(self.trials)


def same_data(trials: tuple[Trial, ...]) -> bool:
    """Whether ``trials`` are of one dataset with one content."""
    tags = ("dataset", "dataset.fingerprint")
    return len({tuple(trial.tags.get(tag, "") for tag in tags) for trial in trials}) < 2


def compared(client: "MlflowClient", selection: Selection, draws: Draws, *, data: Path, scratch: Path) -> Comparison:
    """Compare what was selected; see compare_classes for ``data`` and ``scratch``."""
    trials = tuple(sorted(selection.finished, key=lambda trial: -trial.metrics.get(ACCURACY, -1.0)))
    factors = tuple(varied(trials))
    comparable = same_data(trials)
    front = pareto_front(trials) if comparable else Front(members=(), knee=None)
    return Comparison(
        selection=selection,
        trials=trials,
        labels=labels(trials, factors),
        factors=factors,
        front=front,
        importances=_importances(trials) if comparable and len(trials) > 2 else {},
        pair=_pair(client, selection, trials, front, draws, data=data, scratch=scratch),
        notes=(*selection.notes, *_notes(trials, comparable)),
    )


def _importances(trials: tuple[Trial, ...]) -> dict[str, Importance]:
    """Latency counts only where nothing disturbed its timing."""
    found = {}
    for name, metric in OBJECTIVES.items():
        fair = [trial for trial in trials if trial.measured and not (metric == LATENCY and trial.disturbed)]
        found[name] = importance(varied(fair), [trial.metrics[metric] for trial in fair])
    verdicts = {one.verdict for one in found.values() if one.method == "none"}
    alike = len(verdicts) == 1 and all(one.method == "none" for one in found.values())
    return {"any of the three": found[next(iter(found))]} if alike else found


def _pair(
    client: "MlflowClient",
    selection: Selection,
    trials: tuple[Trial, ...],
    front: Front,
    draws: Draws,
    *,
    data: Path,
    scratch: Path,
) -> Pair | None:
    """The two runs asked for, in that order, or else the most accurate on the front against the knee."""
    if len(trials) == 2:
        first, second = selection.finished
    elif front.knee is not None and front.members[0] != front.knee:
        by_run = {trial.run: trial for trial in trials}
        first, second = by_run[front.members[0]], by_run[front.knee]
    else:
        return None
    files = [fetch(client, trial, "dvc.lock", scratch) for trial in (first, second)]
    locks = [read_lock(path) for path in files if path is not None]
    return Pair(
        first=first,
        second=second,
        changes=changes(first, second, (locks[0], locks[1]) if len(locks) == 2 else None),
        classes=compare_classes(client, first, second, draws, data=data, scratch=scratch)
        if same_data((first, second))
        else None,
    )


def _notes(trials: tuple[Trial, ...], comparable: bool) -> list[str]:
    notes = []
    if not comparable:
        names = sorted({trial.tags.get("dataset", "?") for trial in trials})
        what = f"of {', '.join(names)}" if len(names) > 1 else f"of {names[0]} with other pictures"
        notes.append(f"the runs are {what}: their accuracies do not compare, so configuration alone is compared")
    for tag in _CIRCUMSTANCES:
        values = sorted({trial.tags[tag] for trial in trials if tag in trial.tags})
        if len(values) > 1:
            notes.append(f"latencies were measured with different {tag.partition('.')[2]}: {', '.join(values)}")
    return notes
