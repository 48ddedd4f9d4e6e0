"""What lies in the project after ``dvc repro``, read for recording: nothing here knows MLflow."""

import csv
import hashlib
import json
import math
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from netwright.artifacts.dataset_report import DATASET_REPORT, read_dataset_report
from netwright.errors import UserError
from pipelines.sweep.state import Trial
from pipelines.tracking.data_facts import data_metrics, data_tags
from pipelines.tracking.starts import new_starts
from stages import paths
from stages._entry.app import declared_sections

METRICS = paths.REPORTS / "metrics.json"
BENCHMARK = paths.REPORTS / "benchmark.json"
DATA_REPORT = paths.CONVERTED / DATASET_REPORT
CURVED = {"train": paths.TRAINED, "prune": paths.PRUNED, "qat": paths.QUANTIZED}
ARTIFACTS = (
    "reports/*",
    "models/*/history.csv",
    "data/converted/report.json",
    "data/converted/index.html",
    "exports/bundle.json",
    "machine.json",
    "params.yaml",
    "dvc.lock",
)
OBJECTIVE = "deployed/val/map50_95"  # everything is chosen on val


@dataclass(frozen=True, kw_only=True)
class StageResult:
    """One training stage: ``key`` changes whenever its files do; ``history`` has an entry per epoch."""

    name: str
    key: str
    params: dict[str, str]
    metrics: dict[str, float]
    history: list[dict[str, float]]
    finished: float  # seconds since the epoch


@dataclass(frozen=True, kw_only=True)
class Result:
    """One result of the pipeline. ``ran`` are the stages that really ran for it; the others came from DVC's cache.

    ``fingerprint`` is of the converted dataset's content, "" where that is not known.
    """

    key: str
    dataset: str
    fingerprint: str
    params: dict[str, str]
    metrics: dict[str, float]
    tags: dict[str, str]
    stages: tuple[StageResult, ...]
    artifacts: tuple[Path, ...]
    ran: tuple[str, ...]
    started: float
    finished: float


def read_result(project: Path) -> Result | None:
    """The result that lies in ``project``, or None where the benchmark has not been run."""
    if not (project / METRICS).is_file() or not (project / BENCHMARK).is_file():
        return None
    key = _result_key(project)
    starts = new_starts(project, key)
    finished = (project / METRICS).stat().st_mtime
    times = [*starts.values(), finished]
    return _result(project, key, _git_tags(project), tuple(starts), min(times), max(times))


def read_trial_result(folder: Path, trial: Trial) -> Result:
    """The result of a sweep's trial that is done, which lies in ``folder``. Its key is the sweep's own."""
    key = _hash_of([_result_key(folder).encode(), trial.sweep.encode()])
    return _result(folder, key, trial.tags, trial.ran, trial.started, trial.finished)


def result_metrics(folder: Path) -> dict[str, float]:
    """The headlines of the result in ``folder`` by MLflow's names; none where there is no readable result."""
    try:
        return _numbers(folder / METRICS)
    except (OSError, UserError):
        return {}


def objective(folder: Path) -> float | None:
    """What sweeps are after: the deployed export's accuracy on val, None where it is not known."""
    return result_metrics(folder).get(OBJECTIVE)


def _result_key(folder: Path) -> str:
    """Of all values that stages read, and of what came out."""
    snapshot = yaml.safe_load((folder / "params.yaml").read_text("utf-8"))
    read_by_stages = {section for sections in declared_sections(folder).values() for section in sections}
    told = {section: values for section, values in snapshot.items() if section in read_by_stages}
    files = [(folder / path).read_bytes() for path in (METRICS, BENCHMARK)]
    return _hash_of([json.dumps(told, sort_keys=True).encode(), *files])


def _result(
    folder: Path, key: str, tags: dict[str, str], ran: tuple[str, ...], started: float, finished: float
) -> Result:
    snapshot = yaml.safe_load((folder / "params.yaml").read_text("utf-8"))
    data = read_dataset_report(folder / paths.CONVERTED) if (folder / DATA_REPORT).is_file() else None
    lock = _lock(folder)
    return Result(
        key=key,
        dataset=str(snapshot["dataset"]["name"]),
        fingerprint=data["fingerprint"] if data else "",
        params=flat(snapshot, "."),
        metrics=_numbers(folder / METRICS) | (data_metrics(data) if data else {}),
        tags=tags | _file_tags(folder) | _deployed_tags(folder) | (data_tags(data) if data else {}),
        stages=tuple(
            _stage(folder, name, model, snapshot, lock) for name, model in CURVED.items() if (folder / model).is_dir()
        ),
        artifacts=tuple(_artifacts(folder)),
        ran=ran,
        started=started,
        finished=finished,
    )


def _artifacts(folder: Path) -> Iterator[Path]:
    """Every file directly in reports/, the raw results left to DVC, and what else explains a result."""
    for pattern in ARTIFACTS:
        yield from (path.relative_to(folder) for path in sorted(folder.glob(pattern)) if path.is_file())


def flat(value: Any, joint: str, prefix: str = "") -> dict[str, str]:
    """Nested mappings as one, keys joined by ``joint``; every leaf as JSON would write it, strings bare."""
    if isinstance(value, Mapping):
        pairs: dict[str, str] = {}
        for name, inner in value.items():
            pairs |= flat(inner, joint, f"{prefix}{joint}{name}" if prefix else str(name))
        return pairs
    return {prefix: value if isinstance(value, str) else json.dumps(value)}


def _stage(project: Path, name: str, folder: Path, snapshot: Mapping[str, Any], lock: Mapping[str, Any]) -> StageResult:
    history, metrics = project / folder / "history.csv", project / folder / "metrics.json"
    outs = lock.get(name, {}).get("outs")
    content = [path.read_bytes() for path in (history, metrics) if path.is_file()]
    sections = declared_sections(project).get(name, [name])
    return StageResult(
        name=name,
        key=_hash_of([name.encode(), json.dumps(outs, sort_keys=True).encode() if outs else b"", *content]),
        params=flat({section: snapshot[section] for section in sections if section in snapshot}, "."),
        metrics=_numbers(metrics) if metrics.is_file() else {},
        history=_history(history) if history.is_file() else [],
        finished=history.stat().st_mtime if history.is_file() else 0.0,
    )


def _numbers(path: Path) -> dict[str, float]:
    """Finite numbers of a JSON file by their path in it, joined by "/"; true and false are 1 and 0."""
    try:
        leaves = flat(json.loads(path.read_text("utf-8")), "/")
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}): delete it and run dvc repro") from None
    words = {"true": 1.0, "false": 0.0}
    numbers = {name: words.get(leaf, _number(leaf)) for name, leaf in leaves.items()}
    return {name: number for name, number in numbers.items() if math.isfinite(number)}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _history(path: Path) -> list[dict[str, float]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return [{name: float(cell) for name, cell in row.items() if cell} for row in csv.DictReader(stream)]


def _lock(project: Path) -> dict[str, Any]:
    path = project / "dvc.lock"
    stages: dict[str, Any] = (yaml.safe_load(path.read_text("utf-8")) or {}).get("stages", {}) if path.is_file() else {}
    return stages


def _git_tags(project: Path) -> dict[str, str]:
    def git(*arguments: str) -> str | None:
        answer = subprocess.run(["git", *arguments], cwd=project, capture_output=True, text=True, check=False)
        return answer.stdout.strip() if answer.returncode == 0 else None

    commit, changes = git("rev-parse", "HEAD"), git("status", "--porcelain", "--untracked-files=no")
    if commit is None:
        return {}
    return {"mlflow.source.git.commit": commit, "git.dirty": str(bool(changes)).lower()}


def _file_tags(project: Path) -> dict[str, str]:
    files = {"dvc.lock.sha256": Path("dvc.lock"), "dataset.sha256": paths.CONVERTED / "manifest.json"}
    return {tag: _hash_of([(project / path).read_bytes()]) for tag, path in files.items() if (project / path).is_file()}


def _deployed_tags(folder: Path) -> dict[str, str]:
    """Whether the deployed row can be relied on."""
    report = json.loads((folder / BENCHMARK).read_text("utf-8"))
    for row in report.get("rows", []):
        if f"{row['export']}@{row['runtime']}" == report["deployed"]:
            disturbed, verdict = row.get("disturbed"), (row.get("parity") or {}).get("status")
            told = {
                "deployed.disturbed": None if disturbed is None else str(disturbed).lower(),
                "deployed.parity": verdict,
            }
            return {name: value for name, value in told.items() if value is not None}
    return {}


def _hash_of(parts: list[bytes]) -> str:
    """SHA-256 over parts, each with its length, so that no two lists of parts look alike."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
