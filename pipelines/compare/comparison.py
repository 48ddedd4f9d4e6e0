"""Everything that a comparison finds out, for the terminal and the page alike."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from netwright.artifacts.dataset import MANIFEST, read_manifest
from pipelines.compare.changes import Changes, changes
from pipelines.compare.classes import ClassTable, Draws, compare_classes
from pipelines.compare.factors import Factor, labels, varied
from pipelines.compare.files import RunFiles, read_lock
from pipelines.compare.front import Front, eligible, pareto_front
from pipelines.compare.importance import Importance
from pipelines.compare.selection import Selection
from pipelines.compare.weighing import Task
from pipelines.tracking.trials import ACCURACY, LATENCY, SIZE, Trial

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


def surveyed(selection: Selection) -> Comparison:
    """All that follows at once from the runs' parameters, metrics and tags: no importances yet, and no pair."""
    trials = tuple(sorted(selection.finished, key=lambda trial: -trial.metrics.get(ACCURACY, -1.0)))
    factors = tuple(varied(trials))
    comparable = same_data(trials)
    return Comparison(
        selection=selection,
        trials=trials,
        labels=labels(trials, factors),
        factors=factors,
        front=pareto_front(trials) if comparable else Front(members=(), knee=None),
        importances={},
        pair=None,
        notes=(*selection.notes, *_notes(trials, comparable)),
    )


def interesting_pair(comparison: Comparison) -> tuple[Trial, Trial] | None:
    """The two runs asked for, in that order, or else the most accurate of the front and the knee."""
    front, selected = comparison.front, comparison.selection.finished
    if len(selected) == 2:
        return selected[0], selected[1]
    if front.knee is None or front.members[0] == front.knee:
        return None
    by_run = {trial.run: trial for trial in comparison.trials}
    return by_run[front.members[0]], by_run[front.knee]


def paired(
    comparison: Comparison, pair: tuple[Trial, Trial], files: tuple[RunFiles, RunFiles], draws: Draws, data: Path
) -> Comparison:
    """``comparison`` with ``pair`` held against each other by their ``files``.

    ``data`` is this project's converted dataset: its labels serve where the runs keep none, if it is the same content.
    """
    locks = [read_lock(one.lock) for one in files if one.lock is not None]
    classes = compare_classes(*files, draws, _labels_here(data, pair[0])) if same_data(pair) else None
    found = Pair(
        first=pair[0],
        second=pair[1],
        changes=changes(*pair, (locks[0], locks[1]) if len(locks) == 2 else None),
        classes=classes,
    )
    return replace(comparison, pair=found)


def _labels_here(data: Path, trial: Trial) -> Path | None:
    if not (data / MANIFEST).is_file():
        return None
    return data if read_manifest(data).fingerprint == trial.tags.get("dataset.fingerprint") else None


def weighing_tasks(comparison: Comparison) -> dict[str, Task]:
    """What is to be weighed, by name of the objective. Latency counts only where nothing disturbed its timing."""
    if not comparison.comparable or len(comparison.trials) < 3:
        return {}
    tasks: dict[str, Task] = {}
    for name, metric in OBJECTIVES.items():
        fair = [trial for trial in comparison.trials if trial.measured and not (metric == LATENCY and trial.disturbed)]
        tasks[name] = varied(fair), [trial.metrics[metric] for trial in fair]
    return tasks


def weighed(comparison: Comparison, found: Mapping[str, Importance]) -> Comparison:
    """``comparison`` with its importances; three times the same "cannot be told" is told once."""
    verdicts = {one.verdict if one.method == "none" else "" for one in found.values()}
    alike = len(verdicts) == 1 and verdicts != {""}
    return replace(comparison, importances={"any of the three": next(iter(found.values()))} if alike else found)


def _notes(trials: tuple[Trial, ...], comparable: bool) -> list[str]:
    notes = []
    if not comparable:
        names = sorted({trial.tags.get("dataset", "?") for trial in trials})
        what = f"of {', '.join(names)}" if len(names) > 1 else f"of {names[0]} with other pictures"
        notes.append(f"the runs are {what}: their accuracies do not compare, so configuration alone is compared")
    reasons = [eligible(trial) for trial in trials]
    if comparable and all(reasons):
        told = ", ".join(f"{count} {reason}" for reason, count in Counter(reasons).items())
        notes.append(f"no front, since no trial can stand on it: {told}")
    for tag in _CIRCUMSTANCES:
        values = sorted({trial.tags[tag] for trial in trials if tag in trial.tags})
        if len(values) > 1:
            notes.append(f"latencies were measured with different {tag.partition('.')[2]}: {', '.join(values)}")
    return notes
