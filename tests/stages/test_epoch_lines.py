"""What a training stage prints for each epoch."""

from pathlib import Path

import pytest

from netwright.training.recipe import EpochMetrics
from stages._training import epochs
from stages._training.epochs import EpochReporter


def line(epoch: int) -> EpochMetrics:
    losses = dict.fromkeys(("loss", "loss_object", "loss_class", "loss_box"), 1.0)
    return EpochMetrics(epoch=epoch, learning_rate=1e-3, seconds=2.0, **losses)


def test_the_time_left_counts_what_is_done_between_epochs_and_only_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two seconds of training and three of scoring an epoch, after six epochs of an earlier process."""
    now = [100.0]
    monkeypatch.setattr(epochs.time, "monotonic", lambda: now[0])
    reporter = EpochReporter("train", 10, tmp_path / "journal.jsonl")
    reporter.resumed([line(number) for number in range(1, 7)])
    for number in (7, 8):
        now[0] += 5
        reporter(line(number))
    reporter.finished()
    said = [row.split("s, ")[-1] for row in capsys.readouterr().out.splitlines()]
    assert said == ["train: goes on after epoch 6 of 10", "about 15 s left", "about 10 s left"]
