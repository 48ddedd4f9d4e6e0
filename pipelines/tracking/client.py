"""Calls on MLflow's client that every recording makes: experiments, finished runs, values in few messages."""

import time
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from netwright.errors import UserError
from pipelines.tracking.metric_rows import insert_metrics
from pipelines.tracking.store import artifact_location, store_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

KEY = "netwright.key"
KIND = "netwright.kind"
PARENT = "mlflow.parentRunId"
LONGEST_TAG = 5000
_TRAINING_VIEW = {"mlflow.experimentKind": "custom_model_development"}  # as MLflow's pages call it
_METRICS, _PARAMS = 1000, 100  # what one log_batch call may hold
_LONGEST_PARAM = 6000

Sample = tuple[str, float, int, float]  # name, value, step, seconds since 1970


def log_batches(client: "MlflowClient", run: str, params: Mapping[str, str], samples: list[Sample]) -> None:
    """Log in as few calls as MLflow allows, which cost tens of milliseconds; metrics past them where that can be."""
    from mlflow.entities import Metric, Param

    stamped = [(name, value, step, milliseconds(when)) for name, value, step, when in samples]
    written = bool(stamped) and insert_metrics(client.tracking_uri, run, stamped)
    settings: Iterator[Param] = iter([Param(name, value[:_LONGEST_PARAM]) for name, value in params.items()])
    metrics: Iterator[Metric] = iter(
        [] if written else [Metric(name, value, when, step) for name, value, step, when in stamped]
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


def milliseconds(seconds: float) -> int:
    """``seconds`` since 1970, or now where they are 0, as MLflow counts."""
    return int((seconds or time.time()) * 1000)
