"""Which runs are compared: those named, those of a sweep, or all results of a dataset."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from netwright.errors import UserError
from pipelines.tracking.client import KIND
from pipelines.tracking.store import without_secrets
from pipelines.tracking.sweeps import SWEEP
from pipelines.tracking.trials import Trial, all_experiments, quoted, read_trials, trial_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

_SHORTEST, _FULL = 4, 32  # letters of a run's id


@dataclass(frozen=True, kw_only=True)
class Selection:
    """``title`` says what was asked; ``finished`` are to be compared, ``repeated`` counts left-out equal results."""

    title: str
    finished: tuple[Trial, ...]
    failed: tuple[Trial, ...] = ()
    running: tuple[Trial, ...] = ()
    repeated: int = 0
    notes: tuple[str, ...] = ()


def check_store(uri: str) -> None:
    """Raise UserError where the store is a file that is not there: MLflow would make an empty one."""
    file = uri.removeprefix("sqlite:///")
    if file != uri and not Path(file).is_file():
        raise UserError(f"no MLflow store at {file}: nothing has been recorded here yet: make repro")


def named_runs(client: "MlflowClient", names: Sequence[str]) -> Selection:
    """The runs called ``names``: ids, beginnings of ids, or run names.

    Raises UserError for one that is unknown, deleted, ambiguous, a sweep or a stage, or not finished.
    """
    experiments = [experiment.experiment_id for experiment in all_experiments(client)]
    trials = tuple({trial.run: trial for trial in (_named_run(client, experiments, name) for name in names)}.values())
    if len(trials) < len(names):
        raise UserError(f"{' '.join(names)} name one run twice: name each once")
    return Selection(title=" and ".join(f"run {trial.run[:8]}" for trial in trials), finished=trials)


def _named_run(client: "MlflowClient", experiments: Sequence[str], name: str) -> Trial:
    found = _lookup(client, experiments, name)
    alive = [trial for trial in found if not trial.deleted]
    if not alive:
        if found:
            raise UserError(f"run {name} was deleted in the MLflow store: restore it there, or leave it out")
        raise UserError(f"no run {name!r} in the MLflow store: python -m pipelines.compare lists those of this dataset")
    if len(alive) > 1:
        told = ", ".join(trial.run[:12] for trial in alive[:4])
        raise UserError(f"{name!r} names {len(alive)} runs ({told}): write more of the run's id")
    (trial,) = alive
    kind = trial.tags.get(KIND, "")
    if kind == "sweep":
        raise UserError(f"run {name} is a sweep: compare --sweep {trial.tags.get(SWEEP, '')}")
    if kind != "pipeline":
        raise UserError(f"run {name} is no result of the pipeline ({kind or 'not recorded by netwright'})")
    if not trial.finished:
        why = f": {trial.error}" if trial.error else ""
        raise UserError(f"run {name} is {trial.status.lower()}, so there is nothing to compare{why}")
    return trial


def _lookup(client: "MlflowClient", experiments: Sequence[str], name: str) -> list[Trial]:
    from mlflow.entities import ViewType
    from mlflow.exceptions import MlflowException

    if re.fullmatch(rf"[0-9a-f]{{{_FULL}}}", name):
        try:
            return [trial_of(client.get_run(name))]
        except MlflowException:
            return []
    queries = [f"attributes.run_name = {quoted(name)}"]
    if re.fullmatch(rf"[0-9a-f]{{{_SHORTEST},}}", name):
        queries.insert(0, f"attributes.run_id LIKE '{name}%'")
    for query in queries:
        runs = client.search_runs(list(experiments), query, run_view_type=ViewType.ALL, max_results=20)
        if runs:
            return [trial_of(run) for run in runs]
    return []


def sweep_runs(client: "MlflowClient", uri: str, name: str, dataset: str | None) -> Selection:
    """The trials of the sweep ``name``. Raises UserError where it is unknown, spans datasets or has none finished."""
    experiments = {experiment.experiment_id: experiment.name for experiment in all_experiments(client)}
    trials = read_trials(client, uri, list(experiments), {SWEEP: name})
    datasets = sorted({experiments[trial.experiment] for trial in trials})
    if dataset is not None:
        trials = [trial for trial in trials if experiments[trial.experiment] == dataset]
    elif len(datasets) > 1:
        raise UserError(f"sweep {name} has trials of {', '.join(datasets)}: choose one with --dataset")
    if not trials:
        raise UserError(
            f"no trial of sweep {name!r}{_of(dataset)} in {without_secrets(uri)}{_known_sweeps(client, experiments)}"
        )
    return _sorted_out(f"sweep {name}", trials, unlike=False)


def dataset_runs(client: "MlflowClient", uri: str, dataset: str) -> Selection:
    """All results of ``dataset``; equal ones count once. Raises UserError where there is none."""
    experiment = client.get_experiment_by_name(dataset)
    if experiment is None or experiment.lifecycle_stage != "active":
        raise UserError(f"no result of dataset {dataset!r} in {without_secrets(uri)}: make repro makes one")
    return _sorted_out(
        f"all results of {dataset}", read_trials(client, uri, [experiment.experiment_id], {}), unlike=True
    )


def project_dataset(project: Path) -> str:
    """The dataset that ``project``/params.yaml names. Raises UserError where there is no such file."""
    try:
        return str(yaml.safe_load((project / "params.yaml").read_text("utf-8"))["dataset"]["name"])
    except (OSError, TypeError, KeyError, yaml.YAMLError):
        raise UserError(f"no params.yaml with a dataset in {project}: run this from the project's root") from None


def _sorted_out(title: str, trials: Sequence[Trial], *, unlike: bool) -> Selection:
    """Finished, failed and running apart; with ``unlike`` only one of each group of equal results is kept."""
    finished = [trial for trial in trials if trial.finished]
    failed = tuple(trial for trial in trials if trial.status in ("FAILED", "KILLED"))
    running = tuple(trial for trial in trials if trial.status in ("RUNNING", "SCHEDULED"))
    if not finished:
        first = next((f": {trial.error}" for trial in failed if trial.error), "")
        raise UserError(f"{title}: no finished trial ({len(running)} running, {len(failed)} failed{first})")
    finished, notes = _same_data(finished)
    kept = _unequal(finished) if unlike else finished
    return Selection(
        title=title,
        finished=tuple(kept),
        failed=failed,
        running=running,
        repeated=len(finished) - len(kept),
        notes=notes,
    )


def _same_data(trials: list[Trial]) -> tuple[list[Trial], tuple[str, ...]]:
    """The trials on the content of the newest one: accuracies on other pictures are other numbers."""
    newest = trials[-1].tags.get("dataset.fingerprint", "")
    same = [trial for trial in trials if trial.tags.get("dataset.fingerprint", "") == newest]
    others = len(trials) - len(same)
    note = f"{others} of {len(trials)} results are left out: the dataset's content was another then"
    return same, (note,) if others else ()


def _unequal(trials: Sequence[Trial]) -> list[Trial]:
    """The oldest of each group with the same parameters and numbers."""
    kept: dict[tuple[frozenset[tuple[str, str]], frozenset[tuple[str, float]]], Trial] = {}
    for trial in trials:
        kept.setdefault((_items(trial.params), frozenset(trial.metrics.items())), trial)
    return list(kept.values())


def _items(values: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset(values.items())


def _of(dataset: str | None) -> str:
    return f" of dataset {dataset}" if dataset else ""


def _known_sweeps(client: "MlflowClient", experiments: Mapping[str, str]) -> str:
    """The newest sweeps, for a message."""
    if not experiments:
        return ""
    runs = client.search_runs(list(experiments), f"tags.`{KIND}` = 'sweep'", max_results=50)
    names = Counter(run.data.tags.get(SWEEP, "") for run in runs)
    return f"; sweeps there: {', '.join(list(names)[:5])}" if names else "; there is no sweep there"
