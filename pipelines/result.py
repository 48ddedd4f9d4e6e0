"""What lies in the project after ``dvc repro``, read for recording: nothing here knows MLflow."""

import csv
import hashlib
import json
import math
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from netwright.artifacts.dataset_report import DATASET_PAGE, DATASET_REPORT, read_dataset_report
from netwright.artifacts.whole_file import write_json
from netwright.errors import UserError
from pipelines.data_facts import data_metrics, data_tags
from stages import paths
from stages._entry.app import LEDGER, declared_sections

METRICS = paths.REPORTS / "metrics.json"
BENCHMARK = paths.REPORTS / "benchmark.json"
DATA_REPORT = paths.CONVERTED / DATASET_REPORT
CURVED = {"train": paths.TRAINED, "prune": paths.PRUNED, "qat": paths.QUANTIZED}
ARTIFACTS = (
    BENCHMARK,
    METRICS,
    paths.REPORTS / "index.html",
    DATA_REPORT,
    paths.CONVERTED / DATASET_PAGE,
    paths.EXPORTS / "bundle.json",
    paths.MACHINE,
    Path("params.yaml"),
    Path("dvc.lock"),
)
MARK = "recorded.json"


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
    snapshot = yaml.safe_load((project / "params.yaml").read_text("utf-8"))
    read_by_stages = {section for sections in declared_sections(project).values() for section in sections}
    told = {section: values for section, values in snapshot.items() if section in read_by_stages}
    files = [(project / path).read_bytes() for path in (METRICS, BENCHMARK)]
    key = _hash_of([json.dumps(told, sort_keys=True).encode(), *files])
    finished = (project / METRICS).stat().st_mtime
    data = read_dataset_report(project / paths.CONVERTED) if (project / DATA_REPORT).is_file() else None
    starts = _new_starts(project, key)
    lock = _lock(project)
    return Result(
        key=key,
        dataset=str(snapshot["dataset"]["name"]),
        fingerprint=data["fingerprint"] if data else "",
        params=flat(snapshot, "."),
        metrics=_numbers(project / METRICS) | (data_metrics(data) if data else {}),
        tags=_git_tags(project) | _file_tags(project) | (data_tags(data) if data else {}),
        stages=tuple(
            _stage(project, name, folder, snapshot, lock)
            for name, folder in CURVED.items()
            if (project / folder).is_dir()
        ),
        artifacts=tuple(path for path in ARTIFACTS if (project / path).is_file()),
        ran=tuple(starts),
        started=min([*starts.values(), finished]),
        finished=max([*starts.values(), finished]),
    )


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


def _new_starts(project: Path, key: str) -> dict[str, float]:
    """Start time of every stage that ran for the result ``key``: the ledger's lines since the result before it.

    What was found is kept beside the ledger, so that it is still known when the store answers only later.
    """
    scratch = project / os.environ.get("NETWRIGHT_SCRATCH", ".netwright")
    ledger, mark = scratch / LEDGER, scratch / MARK
    lines = ledger.read_text("utf-8").splitlines() if ledger.is_file() else []
    known: dict[str, Any] = json.loads(mark.read_text("utf-8")) if mark.is_file() else {"lines": 0, "results": {}}
    seen = known["lines"] if known["lines"] <= len(lines) else 0  # a new ledger: scratch was emptied
    fresh = [json.loads(line) for line in lines[seen:]]
    starts: dict[str, float] = known["results"].get(key, {})
    starts |= {row["stage"]: row["started"] for row in fresh if row["folder"] == str(project.resolve())}
    write_json(mark, {"lines": len(lines), "results": known["results"] | {key: starts}})
    return starts


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


def _hash_of(parts: list[bytes]) -> str:
    """SHA-256 over parts, each with its length, so that no two lists of parts look alike."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
