"""``python -m pipelines.record [SWEEP...]``: tell MLflow of the result in this project, or of sweeps/NAME, once.

One pipeline run holds the parameters, final metrics and reports; a run for each training stage holds its curves. A
stage's run that is there already, since DVC restored that stage from its cache, is linked and not repeated.
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from netwright.errors import UserError
from pipelines.data_facts import DIGEST
from pipelines.evidence import log_evidence, row_tags
from pipelines.result import Result, StageResult, read_result
from pipelines.store import artifact_location, open_store, store_uri, without_secrets
from stages._entry.failures import guarded
from stages.paths import CONVERTED

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

KEY = "netwright.key"
KIND = "netwright.kind"
PARENT = "mlflow.parentRunId"
_TRAINING_VIEW = {"mlflow.experimentKind": "custom_model_development"}  # as MLflow's pages call it
_METRICS, _PARAMS = 1000, 100  # what one log_batch call may hold
_LONGEST_PARAM = 6000
LONGEST_TAG = 5000


def record(project: Path) -> str | None:
    """Record the result in ``project``; return its run id, also where it was recorded before. None: no result yet.

    Raises UserError where the store cannot be used; the files are as they were, and a later call records them.
    """
    result = read_result(project)
    if result is None:
        return None
    with open_store(project) as client:
        experiment = experiment_of(client, project, result.dataset)
        known = finished_run(client, experiment, result.key)
        return str(known.info.run_id) if known else record_result(client, experiment, result, project, {})


def record_result(
    client: "MlflowClient", experiment: str, result: Result, folder: Path, tags: Mapping[str, str]
) -> str:
    """Record ``result``, whose files lie in ``folder``, as a pipeline run with ``tags`` too; return its id."""
    told = {
        KEY: result.key,
        KIND: "pipeline",
        "dataset": result.dataset,
        "restored": str(not result.ran).lower(),
        "stages_ran": ", ".join(result.ran),
        "mlflow.source.name": "pipelines.repro",
        **row_tags(folder),
        "mlflow.note.content": _note(result),
    }
    said = result.tags | told | {"mlflow.runName": f"{result.dataset} {result.key[:8]}"} | dict(tags)
    created = client.create_run(experiment, start_time=milliseconds(result.started), tags=said)
    run = str(created.info.run_id)
    log_batches(
        client, run, result.params, [(name, value, 0, result.finished) for name, value in result.metrics.items()]
    )
    _log_dataset(client, run, result)
    for path in result.artifacts:
        client.log_artifact(run, str(folder / path), path.parent.as_posix() if path.parent.name else None)
    log_evidence(client, run, folder)
    for stage in result.stages:
        client.set_tag(run, f"stage.{stage.name}", _record_stage(client, experiment, stage, run))
    client.set_terminated(run, end_time=milliseconds(result.finished))
    return run


def _log_dataset(client: "MlflowClient", run: str, result: Result) -> None:
    """Name the dataset where MLflow's pages look for it."""
    if not result.fingerprint:
        return
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(
        name=result.dataset,
        digest=result.fingerprint[:DIGEST],
        source_type="local",
        source=json.dumps({"uri": CONVERTED.as_posix()}),
    )
    client.log_inputs(run, [DatasetInput(dataset=dataset, tags=[InputTag("mlflow.data.context", "training")])])


def _record_stage(client: "MlflowClient", experiment: str, stage: StageResult, parent: str) -> str:
    known = finished_run(client, experiment, stage.key)
    if known:
        return str(known.info.run_id)
    seconds = sum(row.get("seconds", 0.0) for row in stage.history)
    begun = stage.finished - seconds
    tags = {KEY: stage.key, KIND: "stage", "stage": stage.name, PARENT: parent}
    created = client.create_run(experiment, start_time=milliseconds(begun), tags=tags, run_name=stage.name)
    run = str(created.info.run_id)
    log_batches(client, run, stage.params, [*_curves(stage, begun), *_last(stage)])
    client.set_terminated(run, end_time=milliseconds(stage.finished))
    return run


Sample = tuple[str, float, int, float]  # name, value, step, seconds since 1970


def _curves(stage: StageResult, begun: float) -> Iterator[Sample]:
    now = begun
    for index, row in enumerate(stage.history, start=1):
        now += row.get("seconds", 0.0)
        yield from ((name, value, int(row.get("epoch", index)), now) for name, value in row.items() if name != "epoch")


def _last(stage: StageResult) -> Iterator[Sample]:
    yield from ((name, value, 0, stage.finished) for name, value in stage.metrics.items())


def log_batches(client: "MlflowClient", run: str, params: Mapping[str, str], samples: list[Sample]) -> None:
    """Log in as few calls as MLflow allows: a call costs tens of milliseconds."""
    from mlflow.entities import Metric, Param

    settings: Iterator[Param] = iter([Param(name, value[:_LONGEST_PARAM]) for name, value in params.items()])
    metrics: Iterator[Metric] = iter(
        [Metric(name, value, milliseconds(when), step) for name, value, step, when in samples]
    )
    while True:
        some_params, some_metrics = [*islice(settings, _PARAMS)], [*islice(metrics, _METRICS)]
        if not some_params and not some_metrics:
            return
        client.log_batch(run, metrics=some_metrics, params=some_params)


def experiment_of(client: "MlflowClient", project: Path, name: str) -> str:
    """The id of the experiment ``name``, made where there is none. Raises UserError where it was deleted."""
    found = client.get_experiment_by_name(name)
    if found is None:
        location = artifact_location(project, store_uri(project))
        return str(client.create_experiment(name, artifact_location=location, tags=_TRAINING_VIEW))
    if found.lifecycle_stage != "active":
        raise UserError(
            f"experiment {name!r} was deleted in the MLflow store: restore it there (mlflow experiments restore)"
        )
    return found.experiment_id


def finished_run(client: "MlflowClient", experiment: str, key: str) -> "Run | None":
    """The finished run with ``key``. What an interrupted recording left under it is removed."""
    finished = None
    for run in client.search_runs([experiment], f"tags.`{KEY}` = '{key}'"):
        if run.info.status == "FINISHED":
            finished = run
        else:
            client.delete_run(run.info.run_id)
    return finished


def _note(result: Result) -> str:
    """What the run's page shows first: deployed beside baseline."""
    names = sorted({name.partition("/")[2] for name in result.metrics if name.startswith("deployed/")})
    if not names:
        return ""
    cells = [
        (
            name,
            *(
                f"{result.metrics[key]:.6g}" if key in result.metrics else ""
                for key in (f"baseline/{name}", f"deployed/{name}")
            ),
        )
        for name in names
    ]
    return "\n".join(["| | baseline | deployed |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in cells)])


def milliseconds(seconds: float) -> int:
    """``seconds`` since 1970, or now where they are 0, as MLflow counts."""
    return int((seconds or time.time()) * 1000)


def main() -> None:
    """Record the current project, or the sweeps whose folders are given, or say why not."""
    project, folders = Path.cwd(), sys.argv[1:]
    for folder in folders:
        from pipelines.record_sweep import record_sweep

        number = record_sweep(project, Path(folder))
        print(f"record: {number} trials of {folder} are in {without_secrets(store_uri(project))}", flush=True)
    if folders:
        return
    from pipelines.record_journals import record_journals

    run, cut_off = record(project), record_journals(project)
    if run is None and not cut_off:
        raise UserError("no reports/benchmark.json here, so there is nothing to record: run make repro first")
    if run is not None:
        print(f"record: run {run} in {without_secrets(store_uri(project))}", flush=True)
    if cut_off:
        print(f"record: {cut_off} trainings that were cut off, up to their last whole epoch", flush=True)


if __name__ == "__main__":
    sys.exit(guarded("record", main))
