"""Results as MLflow's store holds them: pipeline runs with their parameters, last metrics and tags, many at once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pipelines.tracking.client import KIND
from pipelines.tracking.result import OBJECTIVE
from pipelines.tracking.sweeps import ERROR, LABEL, TRIAL

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

ACCURACY, LATENCY, SIZE = OBJECTIVE, "deployed/latency_ms/p50", "deployed/size_bytes"
TEST_ACCURACY, SPEED = "deployed/test/map50_95", "deployed/throughput_ips"
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_PAGE = 1000


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One pipeline run. ``experiment`` is MLflow's id of the dataset's experiment; ``started`` milliseconds (1970)."""

    run: str
    name: str
    experiment: str
    status: str  # MLflow's: FINISHED, FAILED, RUNNING, KILLED, SCHEDULED
    deleted: bool
    started: int
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        """Whether its result is whole."""
        return self.status == "FINISHED" and not self.deleted

    @property
    def measured(self) -> bool:
        """Whether accuracy on val, latency and size of the deployed export are known."""
        return all(name in self.metrics for name in (ACCURACY, LATENCY, SIZE))

    @property
    def disturbed(self) -> bool | None:
        """Whether other work ran during its timing; None where the run does not say."""
        return {"true": True, "false": False}.get(self.tags.get("deployed.disturbed", ""))

    @property
    def parity(self) -> str:
        """The deployed row's verdict: passed, reference, failed, not_run, or "" where the run does not say."""
        return self.tags.get("deployed.parity", "")

    @property
    def told(self) -> str:
        """What sets it apart in its sweep, or else its name."""
        return self.tags.get(LABEL) or self.tags.get(TRIAL, "").replace(",", ", ") or self.name or self.run[:8]

    @property
    def error(self) -> str:
        """The first line of what made it fail, "" where nothing did or nothing is known."""
        return self.tags.get(ERROR, "").strip().partition("\n")[0]


def read_trials(client: "MlflowClient", uri: str, experiments: Sequence[str], tags: Mapping[str, str]) -> list[Trial]:
    """All pipeline runs of ``experiments`` (ids) with ``tags`` that are not deleted, oldest first.

    A store in a database is read by four statements: MLflow's own search builds an object for every parameter, which
    takes 7 s for 1,000 runs where these take less than one.
    """
    if not experiments:
        return []
    wanted = {KIND: "pipeline", **tags}
    if urlsplit(uri).scheme.partition("+")[0] in _DATABASES:
        trials = _from_database(uri, experiments, wanted)
    else:
        trials = _from_server(client, experiments, wanted)
    return sorted(trials, key=lambda trial: (trial.started, trial.run))


def trial_of(run: "Run") -> Trial:
    """MLflow's run as a trial."""
    return Trial(
        run=run.info.run_id,
        name=run.info.run_name or "",
        experiment=run.info.experiment_id,
        status=run.info.status,
        deleted=run.info.lifecycle_stage != "active",
        started=run.info.start_time or 0,
        params=run.data.params,
        metrics=run.data.metrics,
        tags=run.data.tags,
    )


def _from_server(client: "MlflowClient", experiments: Sequence[str], tags: Mapping[str, str]) -> list[Trial]:
    query = " and ".join(f"tags.`{name}` = {quoted(value)}" for name, value in tags.items())
    token, found = None, []
    while True:
        page = client.search_runs(list(experiments), query, max_results=_PAGE, page_token=token)
        found += [trial_of(run) for run in page]
        token = page.token
        if not token:
            return found


def quoted(value: str) -> str:
    """``value`` as MLflow's search language wants text: it knows no escape, so the other quote is taken."""
    return f'"{value}"' if "'" in value else f"'{value}'"


def _from_database(uri: str, experiments: Sequence[str], tags: Mapping[str, str]) -> list[Trial]:
    from mlflow.store.tracking.dbmodels import models
    from sqlalchemy import create_engine, select

    tables: Any = models
    run, tag = tables.SqlRun, tables.SqlTag
    numbers = [int(number) for number in experiments]
    chosen = select(run.run_uuid).where(run.lifecycle_stage == "active", run.experiment_id.in_(numbers))
    for name, value in tags.items():
        bearers = select(tag.run_uuid).where(tag.key == name, tag.value == value)
        chosen = chosen.where(run.run_uuid.in_(bearers))
    facts = select(run.run_uuid, run.name, run.experiment_id, run.status, run.start_time)
    engine = create_engine(uri)
    with engine.connect() as connection:
        runs = connection.execute(facts.where(run.run_uuid.in_(chosen))).all()
        params, metrics, labels = (
            _by_run(connection.execute(select(own.run_uuid, own.key, own.value).where(own.run_uuid.in_(chosen))).all())
            for own in (tables.SqlParam, tables.SqlLatestMetric, tag)
        )
    engine.dispose()
    return [
        Trial(
            run=number,
            name=name or "",
            experiment=str(experiment),
            status=status,
            deleted=False,
            started=started or 0,
            params=params.get(number, {}),
            metrics=metrics.get(number, {}),
            tags=labels.get(number, {}),
        )
        for number, name, experiment, status, started in runs
    ]


def _by_run(rows: Sequence[Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for run, key, value in rows:
        found.setdefault(run, {})[key] = value
    return found


def all_experiments(client: "MlflowClient") -> Iterator[Any]:
    """Every experiment that is not deleted."""
    token = None
    while True:
        page = client.search_experiments(max_results=_PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return
