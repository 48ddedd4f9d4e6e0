"""A result in MLflow: one pipeline run with parameters, metrics and reports, and a run with curves for each training.

A stage's run that is there already, since DVC restored that stage from its cache, is linked and not repeated.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.tracking.client import (
    KEY,
    KIND,
    PARENT,
    Sample,
    experiment_of,
    finished_run,
    log_batches,
    milliseconds,
)
from pipelines.tracking.data_facts import DIGEST
from pipelines.tracking.evidence import log_evidence, row_tags
from pipelines.tracking.result import Result, StageResult, read_result
from pipelines.tracking.store import open_store
from stages.paths import CONVERTED

if TYPE_CHECKING:
    from mlflow import MlflowClient


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


def _curves(stage: StageResult, begun: float) -> Iterator[Sample]:
    now = begun
    for index, row in enumerate(stage.history, start=1):
        now += row.get("seconds", 0.0)
        yield from ((name, value, int(row.get("epoch", index)), now) for name, value in row.items() if name != "epoch")


def _last(stage: StageResult) -> Iterator[Sample]:
    yield from ((name, value, 0, stage.finished) for name, value in stage.metrics.items())


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
