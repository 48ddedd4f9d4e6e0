"""The MLflow store: where it is, and a client for it. mlflow is imported here alone, and late: it costs seconds."""

import contextlib
import fcntl
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from netwright.errors import UserError
from pipelines.tracking.starts import scratch_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

DATABASE = "mlflow.db"
ARTIFACT_FOLDER = "mlruns"
# No telemetry, and an unreachable server is said so within seconds, not minutes. What the user sets, stays.
SURROUNDINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "GIT_PYTHON_REFRESH": "quiet",
}
# What goes wrong is raised, and told in one line: no need of tracebacks in a log beside it.
_NOISY = {"alembic": logging.WARNING, "mlflow.store.db.utils": logging.CRITICAL, "sqlalchemy.pool": logging.CRITICAL}


def store_uri(project: Path) -> str:
    """``MLFLOW_TRACKING_URI``, or else the SQLite file in ``project``."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(project / DATABASE).resolve()}"


def is_remote(uri: str) -> bool:
    """Whether a server of its own keeps the store."""
    return urlsplit(uri).scheme in ("http", "https", "databricks")


def without_secrets(uri: str) -> str:
    """``uri`` as it may be printed: without a user name and a password."""
    parts = urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, query="").geturl() if "@" in parts.netloc or parts.query else uri


def artifact_location(project: Path, uri: str) -> str | None:
    """Where a new experiment keeps its files: inside ``project``, or None where a server decides."""
    return None if is_remote(uri) else (project / ARTIFACT_FOLDER).resolve().as_uri()


@contextlib.contextmanager
def open_store(project: Path) -> Iterator["MlflowClient"]:
    """Yield a client of the project's store, one process of this project at a time.

    Whatever the store, its driver or the network raise inside becomes a UserError that names the store.
    """
    for name, value in SURROUNDINGS.items():
        os.environ.setdefault(name, value)
    for noisy, level in _NOISY.items():
        logging.getLogger(noisy).setLevel(level)
    uri = store_uri(project)
    with _alone(project):
        try:
            from mlflow import MlflowClient

            yield MlflowClient(tracking_uri=uri)
        except UserError:
            raise
        except Exception as error:
            raise UserError(f"MLflow store {without_secrets(uri)} cannot be used ({_root_cause(error)})") from error


def _root_cause(error: BaseException) -> str:
    """The first line of what failed at the bottom, such as ``Connection refused``: clients wrap it four times over."""
    while (below := error.__cause__ or error.__context__) is not None:
        error = below
    return str(error).strip().partition("\n")[0][:200] or type(error).__name__


@contextlib.contextmanager
def _alone(project: Path) -> Iterator[None]:
    path = scratch_of(project) / "record.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
