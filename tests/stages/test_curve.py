"""The quick curve of `python -m stages.prune -m ...`: each job beside the network that all started from."""

import json
from pathlib import Path

import pytest

from netwright.compression.quantized import save_network
from stages._entry import Job
from stages._training.curve import print_curve
from tests.compression.conftest import make_detector

SOURCE, TARGET = Path("models/trained"), Path("models/pruned")


def make_model(folder: Path, *, accuracy: float, parameters: int) -> None:
    save_network(folder, make_detector("mobilenetv4_conv_small"))
    facts = {"val": {"map50_95": accuracy}, "parameters": parameters, "macs": 4 * parameters}
    (folder / "metrics.json").write_text(json.dumps(facts | {"val_before_recovery": {"map50_95": accuracy / 2}}))


def test_a_row_for_each_job_with_its_share_of_the_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    make_model(SOURCE, accuracy=0.6, parameters=8_000_000)
    jobs = []
    for number, (threshold, parameters) in enumerate(((0.1, 4_000_000), (0.2, 2_000_000))):
        overrides = (f"prune.threshold={threshold}", "prune.recover.epochs=0")
        jobs.append(Job(overrides=overrides, folder=tmp_path / str(number)))
        make_model(jobs[-1].folder / TARGET, accuracy=0.5 - threshold, parameters=parameters)
    print_curve(SOURCE, TARGET, jobs)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["prune.recover.epochs=0"]
    assert [line[0] for line in lines[2:]] == ["trained", "prune.threshold=0.1", "prune.threshold=0.2"]
    assert lines[3][1:9] == ["0.4000", "0.2000", "4.00", "M", "(50%)", "16.00", "M", "(50%)"]
    assert all(float(line[-1]) > 0 for line in lines[2:])


def test_a_network_put_there_without_metrics_has_its_size_and_no_accuracy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    save_network(SOURCE, make_detector("mobilenetv4_conv_small"))
    job = Job(overrides=("prune.threshold=0.1",), folder=tmp_path / "0")
    make_model(job.folder / TARGET, accuracy=0.5, parameters=4_000_000)
    before = {"before": {"parameters": 8_000_000, "macs": 32_000_000}}
    (job.folder / TARGET / "pruning.json").write_text(json.dumps(before))
    print_curve(SOURCE, TARGET, [job])
    trained, pruned = (line.split() for line in capsys.readouterr().out.splitlines()[1:])
    assert trained[:-1] == ["trained", "8.00", "M", "(100%)", "32.00", "M", "(100%)"]
    assert pruned[1:9] == ["0.5000", "0.2500", "4.00", "M", "(50%)", "16.00", "M", "(50%)"]
