"""Everything that a comparison finds out, for the terminal and the page alike."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from netwright.artifacts.dataset import MANIFEST, read_manifest
from pipelines.compare.changes import Changes, changes
from pipelines.compare.classes import ClassTable, Draws, compare_classes
from pipelines.compare.factors import Factor, labels, varied
from pipelines.compare.files import RunFiles, read_lock
from pipelines.compare.front import Front, pareto_front
from pipelines.compare.importance import Importance, importance
from pipelines.compare.selection import Selection
from pipelines.trials import ACCURACY, LATENCY, SIZE, Trial

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


def surveyed(selection: Selection, *, weigh: bool = True) -> Comparison:
    """All that follows from the runs' parameters, metrics and tags; ``pair`` is None yet.

    Weighing the parameters takes a second or two, and without ``weigh`` is left out.
    """
    trials = tuple(sorted(selection.finished, key=lambda trial: -trial.metrics.get(ACCURACY, -1.0)))
    factors = tuple(varied(trials))
    comparable = same_data(trials)
    return Comparison(
        selection=selection,
        trials=trials,
        labels=labels(trials, factors),
        factors=factors,
        front=pareto_front(trials) if comparable else Front(members=(), knee=None),
        importances=_importances(trials) if weigh and comparable and len(trials) > 2 else {},
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


def _importances(trials: tuple[Trial, ...]) -> dict[str, Importance]:
    """Latency counts only where nothing disturbed its timing."""
    found = {}
    for name, metric in OBJECTIVES.items():
        fair = [trial for trial in trials if trial.measured and not (metric == LATENCY and trial.disturbed)]
        found[name] = importance(varied(fair), [trial.metrics[metric] for trial in fair])
    verdicts = {one.verdict for one in found.values() if one.method == "none"}
    alike = len(verdicts) == 1 and all(one.method == "none" for one in found.values())
    return {"any of the three": found[next(iter(found))]} if alike else found


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
