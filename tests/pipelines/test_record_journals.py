"""A training that is killed loses at most the running epoch: its journal has the others, and MLflow gets them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.tracking.journals import JOURNAL, cut_off, record_journals
from pipelines.tracking.store import open_store
from stages._training.alone import alone

ROOT = Path(__file__).resolve().parents[2]
# Epochs until it kills itself in the middle of one, as a machine without memory does.
VICTIM = """
import os, signal, sys
from dataclasses import fields
from pathlib import Path
from netwright.training.recipe import EpochMetrics
from stages._training.epochs import EpochReporter

names = [field.name for field in fields(EpochMetrics) if field.name != "epoch"]
reporter = EpochReporter("train", 100, Path(sys.argv[1]))
for epoch in range(1, 8):
    reporter(EpochMetrics(epoch=epoch, **dict.fromkeys(names, epoch / 10)))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("NETWRIGHT_SCRATCH", raising=False)
    (tmp_path / "params.yaml").write_text("dataset: {name: digits}\n")
    (tmp_path / ".netwright/journal").mkdir(parents=True)
    return tmp_path / ".netwright"


def write_journal(scratch: Path, *, epochs: int, name: str = "train-abc", cut: str = "") -> Path:
    rows = [{"stage": "train", "epochs": 100, "started": 1000.0}]
    rows += [{"epoch": n, "loss": 1 / n, "map50_95": None, "seconds": 2.0} for n in range(1, epochs + 1)]
    path = scratch / "journal" / f"{name}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + cut)
    return path


def test_kill_9_leaves_every_whole_epoch_in_the_journal(scratch: Path) -> None:
    journal = scratch / "journal/train-abc.jsonl"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", VICTIM, str(journal)], env=environment, capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    (found,) = cut_off(scratch)
    assert [row["epoch"] for row in found.rows] == [1, 2, 3, 4, 5, 6, 7]
    assert found.rows[-1]["loss"] == 0.7


def test_a_line_that_the_kill_cut_is_left_out_and_a_training_at_work_is_none_of_them(scratch: Path) -> None:
    write_journal(scratch, epochs=2, cut='{"epoch": 3, "lo')
    write_journal(scratch, epochs=0, name="qat-def")
    (found,) = cut_off(scratch)
    assert [row["epoch"] for row in found.rows] == [1, 2]
    with alone(scratch / "checkpoints/train-abc.lock", "busy"):
        assert list(cut_off(scratch)) == []


def test_mlflow_has_its_curves_follows_it_and_forgets_it_when_it_is_finished(scratch: Path) -> None:
    project = scratch.parent
    journal = write_journal(scratch, epochs=2)
    assert record_journals(project) == record_journals(project) == 1
    journal = write_journal(scratch, epochs=3)
    assert record_journals(project) == 1
    with open_store(project) as client:
        experiment = client.get_experiment_by_name("digits")
        assert experiment is not None
        (run,) = client.search_runs([experiment.experiment_id], f"tags.`{JOURNAL}` = 'cut off'")
        assert (run.info.status, run.data.tags["stage"]) == ("KILLED", "train")
        assert [sample.step for sample in client.get_metric_history(run.info.run_id, "loss")] == [1, 2, 3]
        assert (run.info.start_time, run.info.end_time) == (1_000_000, 1_006_000)
    journal.unlink()
    assert record_journals(project) == 0
    with open_store(project) as client:
        assert not client.search_runs([experiment.experiment_id])
