"""A sweep in MLflow: a parent run in the experiment of each of its datasets, and a child run for each trial."""

import hashlib
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from netwright.errors import UserError
from pipelines.compose import SNAPSHOT
from pipelines.sweep.state import LOG, OVER, STATE, Trial, read_trial
from pipelines.tracking.client import KEY, KIND, LONGEST_TAG, PARENT, experiment_of, log_batches, milliseconds
from pipelines.tracking.result import OBJECTIVE, flat, objective, read_trial_result
from pipelines.tracking.runs import record_result
from pipelines.tracking.store import open_store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

SWEEP, TRIAL, ERROR, BEST = "netwright.sweep", "netwright.trial", "netwright.error", "netwright.best"
LABEL = "netwright.label"  # what sets a trial apart from the others of its sweep
_TRIAL_ID = "netwright.trial_id"  # TRIAL may hold quotes, which MLflow's search does not take


class SweepRecord:
    """The runs of sweep ``name`` in the store of ``project``.

    Runs are looked up each time and never kept in mind: somebody may have deleted one meanwhile, and then it is made
    again. Every method raises UserError where the store cannot be used.
    """

    def __init__(self, project: Path, name: str) -> None:
        self.project, self.name = project, name

    def begin(self, datasets: Iterable[str]) -> None:
        """Make, or take up again, the parent run for each dataset."""
        with open_store(self.project) as client:
            for dataset in sorted(datasets):
                parent = self._parent(client, experiment_of(client, self.project, dataset), dataset)
                client.update_run(parent, status="RUNNING")

    def trial(self, folder: Path) -> str:
        """Record the trial in ``folder``, which is done or failed, and return its run's id.

        What was recorded of the same trial before is kept where it is the same result, and replaced where not.
        """
        trial = read_trial(folder)
        if trial is None or trial.state not in OVER:
            raise UserError(f"no finished trial in {folder}")
        dataset = _dataset_of(folder)
        result = read_trial_result(folder, trial) if trial.state == "done" else None
        key = result.key if result else _failure_key(trial)
        with open_store(self.project) as client:
            experiment = experiment_of(client, self.project, dataset)
            parent = self._parent(client, experiment, dataset)
            known = self._known(client, experiment, trial, key)
            if known is not None:
                if known.data.tags.get(PARENT) != parent:
                    client.set_tag(known.info.run_id, PARENT, parent)
                return str(known.info.run_id)
            tags = {
                PARENT: parent,
                SWEEP: self.name,
                TRIAL: trial.name[:LONGEST_TAG],
                _TRIAL_ID: _trial_id(trial),
                "mlflow.source.name": "pipelines.sweep",
                LABEL: trial.label[:LONGEST_TAG],
                "mlflow.runName": (trial.label or trial.name)[:200],
            }
            if result:
                return record_result(client, experiment, result, folder, tags)
            return _record_failure(client, experiment, trial, folder, tags | {KEY: key, "dataset": dataset})

    def end(self, folders: Sequence[Path], *, interrupted: bool = False) -> None:
        """Close the parent runs: FINISHED, FAILED where a trial is not done, KILLED where the sweep was stopped."""
        groups: dict[str, list[tuple[Path, Trial]]] = {}
        for folder in folders:
            trial = read_trial(folder)
            if trial is not None and (folder / SNAPSHOT).is_file():
                groups.setdefault(_dataset_of(folder), []).append((folder, trial))
        with open_store(self.project) as client:
            for dataset, group in groups.items():
                parent = self._parent(client, experiment_of(client, self.project, dataset), dataset)
                _close(client, parent, group, interrupted=interrupted)

    def _parent(self, client: "MlflowClient", experiment: str, dataset: str) -> str:
        found = client.search_runs([experiment], f"tags.`{KIND}` = 'sweep' and tags.`{SWEEP}` = '{self.name}'")
        if found:
            return str(found[0].info.run_id)
        tags = {KIND: "sweep", SWEEP: self.name, "dataset": dataset, "mlflow.source.name": "pipelines.sweep"}
        return str(client.create_run(experiment, tags=tags, run_name=f"sweep {self.name}").info.run_id)

    def _known(self, client: "MlflowClient", experiment: str, trial: Trial, key: str) -> "Run | None":
        """The whole run of the trial under ``key``. Runs of another result of this trial, or half ones, are removed."""
        known = None
        for run in client.search_runs([experiment], f"tags.`{_TRIAL_ID}` = '{_trial_id(trial)}'"):
            if run.data.tags.get(KEY) == key and run.info.status in ("FINISHED", "FAILED"):
                known = run
            else:
                client.delete_run(run.info.run_id)
        return known


def _record_failure(client: "MlflowClient", experiment: str, trial: Trial, folder: Path, tags: dict[str, str]) -> str:
    told = {KIND: "pipeline", "restored": "false", "stages_ran": ", ".join(trial.ran), ERROR: trial.error[:LONGEST_TAG]}
    created = client.create_run(experiment, start_time=milliseconds(trial.started), tags=trial.tags | told | tags)
    run = str(created.info.run_id)
    log_batches(client, run, flat(yaml.safe_load((folder / SNAPSHOT).read_text("utf-8")), "."), [])
    for name in (SNAPSHOT, LOG):
        if (folder / name).is_file():
            client.log_artifact(run, str(folder / name))
    client.set_terminated(run, status="FAILED", end_time=milliseconds(trial.finished))
    return run


def _close(client: "MlflowClient", parent: str, group: Sequence[tuple[Path, Trial]], *, interrupted: bool) -> None:
    done = [(folder, trial) for folder, trial in group if trial.state == "done"]
    scores = {trial.name: score for folder, trial in done if (score := objective(folder)) is not None}
    figures = {"sweep/trials": float(len(group)), "sweep/done": float(len(done))}
    if scores:
        best = max(scores, key=lambda name: scores[name])
        figures[f"best/{OBJECTIVE}"] = scores[best]
        client.set_tag(parent, BEST, best[:LONGEST_TAG])
    log_batches(client, parent, {}, [(name, value, 0, time.time()) for name, value in figures.items()])
    status = "KILLED" if interrupted else "FINISHED" if len(done) == len(group) else "FAILED"
    client.set_terminated(parent, status=status)


def _dataset_of(folder: Path) -> str:
    return str(yaml.safe_load((folder / SNAPSHOT).read_text("utf-8"))["dataset"]["name"])


def _trial_id(trial: Trial) -> str:
    return hashlib.sha256(f"{trial.sweep}\n{trial.name}".encode()).hexdigest()[:24]


def _failure_key(trial: Trial) -> str:
    return hashlib.sha256(f"{trial.sweep}\n{trial.inputs}\n{trial.error}".encode()).hexdigest()


def record_sweep(project: Path, results: Path) -> int:
    """Record every finished trial below ``results``, a sweep's folder, and return their number.

    Raises UserError where that is no sweep's folder, or the store cannot be used.
    """
    folders = [path.parent for path in sorted(results.glob(f"*/{STATE}"))]
    trials = [(folder, trial) for folder in folders if (trial := read_trial(folder)) is not None]
    if not trials:
        raise UserError(f"no trials in {results}: give the folder of a sweep, such as sweeps/NAME")
    record = SweepRecord(project, trials[0][1].sweep)
    finished = [folder for folder, trial in trials if trial.state in OVER]
    for folder in finished:
        record.trial(folder)
    record.end(folders)
    return len(finished)
