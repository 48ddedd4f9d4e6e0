"""Trainings that were cut off, as runs of their own: their journals hold every epoch but the one that was running."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pipelines.tracking.client import KEY, KIND, experiment_of, log_batches, milliseconds
from pipelines.tracking.starts import scratch_of
from pipelines.tracking.store import open_store
from stages._training.alone import in_use
from stages._training.epochs import JOURNALS
from stages._training.resume import FOLDER

if TYPE_CHECKING:
    from mlflow import MlflowClient

JOURNAL = "netwright.journal"


@dataclass(frozen=True, kw_only=True)
class Journal:
    """What is left of a training: its stage, when it began (seconds since 1970), and a row of numbers an epoch."""

    name: str
    stage: str
    started: float
    rows: list[dict[str, float]]


def cut_off(scratch: Path) -> Iterator[Journal]:
    """The journals in ``scratch`` of trainings that are neither finished nor at work."""
    for path in sorted((scratch / JOURNALS).glob("*.jsonl")):
        if in_use(scratch / FOLDER / f"{path.stem}.lock"):
            continue
        head, *rows = _lines(path) or [{}]
        numbers = [{name: value for name, value in row.items() if value is not None} for row in rows]
        if numbers and "stage" in head:
            yield Journal(name=path.stem, stage=str(head["stage"]), started=float(head["started"]), rows=numbers)


def record_journals(project: Path) -> int:
    """Record every training of ``project`` that was cut off, as a run that was killed; return how many there are.

    A run follows its journal: it is made anew when epochs have been added, and goes when the training is finished.
    Raises UserError where the store cannot be used.
    """
    journals = list(cut_off(scratch_of(project)))
    if not (project / "params.yaml").is_file():
        return 0
    values = yaml.safe_load((project / "params.yaml").read_text("utf-8"))
    with open_store(project) as client:
        experiment = experiment_of(client, project, str(values["dataset"]["name"]))
        known = {
            run.data.tags[KEY]: run.info.run_id
            for run in client.search_runs([experiment], f"tags.`{JOURNAL}` = 'cut off'")
        }
        wanted = {f"{journal.name} {len(journal.rows)}": journal for journal in journals}
        for key in known.keys() - wanted.keys():
            client.delete_run(known[key])
        for key in wanted.keys() - known.keys():
            _record(client, experiment, key, wanted[key])
    return len(journals)


def _record(client: "MlflowClient", experiment: str, key: str, journal: Journal) -> None:
    tags = {KEY: key, KIND: "stage", "stage": journal.stage, JOURNAL: "cut off", "mlflow.runName": journal.stage}
    run = client.create_run(experiment, start_time=milliseconds(journal.started), tags=tags).info.run_id
    now, samples = journal.started, []
    for row in journal.rows:
        now += row.get("seconds", 0.0)
        samples += [(name, value, int(row["epoch"]), now) for name, value in row.items() if name != "epoch"]
    log_batches(client, run, {}, samples)
    client.set_terminated(run, status="KILLED", end_time=milliseconds(now))


def _lines(path: Path) -> list[dict[str, Any]]:
    """The lines that are whole: a kill may have cut the last one."""
    rows = []
    for line in path.read_text("utf-8", errors="replace").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows
