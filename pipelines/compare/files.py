"""Files of a run, fetched from the store's artifacts, and what a comparison reads in them."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from netwright.artifacts.report import REPORT
from netwright.errors import UserError
from pipelines.tracking.evidence import DEPLOYED, RAW, TRUTH
from pipelines.tracking.trials import Trial
from stages import paths

if TYPE_CHECKING:
    from mlflow import MlflowClient


def fetch(client: "MlflowClient", trial: Trial, path: str, target: Path) -> Path | None:
    """The artifact ``path`` (a file or a folder) of ``trial``, below ``target``; None where the run has none."""
    from mlflow.exceptions import MlflowException

    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    folder = target / trial.run
    folder.mkdir(parents=True, exist_ok=True)
    try:
        found = Path(client.download_artifacts(trial.run, path, str(folder)))
    except (MlflowException, OSError):
        return None  # never logged, or cleaned away since
    return found if found.exists() else None


@dataclass(frozen=True, kw_only=True)
class RunFiles:
    """What a comparison reads of one run; None where the run does not keep it.

    ``detections`` are the deployed row's, ``truth`` a folder with the labels they are measured by, ``report`` is
    benchmark.json.
    """

    lock: Path | None
    report: Path | None
    detections: Path | None
    truth: Path | None


def fetch_files(client: "MlflowClient", trial: Trial, target: Path) -> RunFiles:
    """Fetch the files of ``trial`` below ``target``."""
    places = {
        "lock": Path("dvc.lock"),
        "report": paths.REPORTS / REPORT,
        "detections": RAW / DEPLOYED,
        "truth": RAW / TRUTH,
    }
    return RunFiles(**{name: fetch(client, trial, place.as_posix(), target) for name, place in places.items()})


def read_lock(path: Path) -> dict[str, Any]:
    """The stages of a dvc.lock. Raises UserError where it is damaged."""
    return _read(path, yaml.safe_load).get("stages") or {}


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises UserError where it is damaged."""
    return _read(path, json.loads)


def _read(path: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
    try:
        return dict(parse(path.read_text("utf-8")) or {})
    except (ValueError, TypeError, yaml.YAMLError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"{path.name} of run {path.parent.name} is damaged ({reason}): leave this run out") from None
