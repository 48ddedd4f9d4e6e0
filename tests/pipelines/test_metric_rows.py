"""Curves that are written past MLflow's client are what the client itself would have written."""

import math
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipelines.tracking.client import Sample, log_batches
from pipelines.tracking.metric_rows import insert_metrics
from pipelines.tracking.store import DATABASE, open_store, store_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient

SAMPLES: list[Sample] = [
    ("loss", 2.5, 1, 100.0),
    ("loss", 1.5, 2, 101.5),
    ("loss", 1.5, 2, 101.5),
    ("map", math.nan, 1, 100.0),
    ("map", 0.25, 0, 102.0),
    ("up", math.inf, 3, 100.0),
    ("down", -math.inf, 3, 100.0),
    ("tied", 1.0, 4, 100.0),
    ("tied", 3.0, 4, 100.0),
    ("tied", 2.0, 4, 100.0),
]


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Iterator[MlflowClient]":
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with open_store(tmp_path) as client:
        yield client


def rows(project: Path, table: str, run: str) -> list[tuple[object, ...]]:
    names = "key, value, timestamp, step, is_nan"
    with sqlite3.connect(project / DATABASE) as base:
        return sorted(base.execute(f"SELECT {names} FROM {table} WHERE run_uuid = ?", (run,)))


def new_run(client: "MlflowClient") -> str:
    return str(client.create_run("0").info.run_id)


def test_the_tables_hold_what_the_client_would_have_put_there(client: "MlflowClient", tmp_path: Path) -> None:
    from mlflow.entities import Metric

    ours, theirs = new_run(client), new_run(client)
    log_batches(client, ours, {}, SAMPLES)
    metrics = [Metric(name, value, int(when * 1000), step) for name, value, step, when in SAMPLES]
    client.log_batch(theirs, metrics=metrics)
    for table in ("metrics", "latest_metrics"):
        assert rows(tmp_path, table, ours) == rows(tmp_path, table, theirs)
    assert len(rows(tmp_path, "metrics", ours)) == len(SAMPLES) - 1  # one came twice


def test_a_path_may_hold_what_an_address_escapes(client: "MlflowClient", tmp_path: Path) -> None:
    project, run = tmp_path / "50%20 off#1", new_run(client)
    project.mkdir()
    shutil.copy(tmp_path / DATABASE, project)
    assert insert_metrics(f"sqlite:///{project / DATABASE}", run, [("loss", 1.0, 1, 1)])
    assert rows(project, "latest_metrics", run) == [("loss", 1.0, 1, 1, 0)]


def test_a_run_that_has_such_metrics_is_left_to_the_client(client: "MlflowClient", tmp_path: Path) -> None:
    run = new_run(client)
    log_batches(client, run, {}, SAMPLES)
    later = [("loss", 0.5, 9, 200_000), ("new", 1.0, 1, 200_000)]
    assert not insert_metrics(store_uri(tmp_path), run, later)
    log_batches(client, run, {}, [("loss", 0.5, 9, 200.0), ("new", 1.0, 1, 200.0)])
    found = client.get_run(run).data.metrics
    assert (found["loss"], found["new"]) == (0.5, 1.0)


def test_nothing_is_written_where_the_store_is_none_of_ours(client: "MlflowClient", tmp_path: Path) -> None:
    sample = [("loss", 1.0, 1, 1)]
    deleted = new_run(client)
    client.delete_run(deleted)
    assert not insert_metrics(store_uri(tmp_path), deleted, sample)
    assert not insert_metrics(store_uri(tmp_path), "no such run", sample)
    assert not insert_metrics("http://localhost:1", deleted, sample)
    assert not insert_metrics(f"sqlite:///{tmp_path}/missing.db", deleted, sample)
    assert not (tmp_path / "missing.db").exists()
    (tmp_path / "other.db").write_bytes(b"no database")
    assert not insert_metrics(f"sqlite:///{tmp_path}/other.db", deleted, sample)
