"""equal_epochs: both sides have the same number of epochs, or it says why they cannot."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import equal_epochs
from benchmarks.changed_params import changed_settings, read_params
from benchmarks.deployed_row import epochs_of_chain
from netwright.evaluation.coco import Accuracy
from tests.benchmarks.called import called

ACCURACY = Accuracy(map50_95=0.5, map50=0.6, per_class={}, per_class50={})


def reports(toy: Path, epochs: int, deployed: str = "quantized_int8@torch") -> None:
    folder = toy / "reports"
    folder.mkdir()
    rows = [{"export": f"{model}", "runtime": "torch", "model": model.split("_")[0]} for model in EXPORTS]
    chain = {"trained": epochs - 2, "pruned": epochs - 1, "quantized": epochs}
    (folder / "benchmark.json").write_text(json.dumps({"deployed": deployed, "rows": rows, "epochs": chain}))
    (folder / "metrics.json").write_text(json.dumps({"deployed/test/map50_95": 0.4}))


EXPORTS = ("trained_fp32", "pruned_fp32", "quantized_int8")


def compared(monkeypatch: pytest.MonkeyPatch, toy: Path, *words: str) -> int:
    return called(monkeypatch, equal_epochs.main, "--project", str(toy), "--device", "cpu", *words)


def chain_of(toy: Path) -> int:
    return epochs_of_chain(changed_settings(read_params(toy), {}))


def test_a_pipeline_of_other_epochs_is_refused(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reports(toy, chain_of(toy) - 3)
    assert compared(monkeypatch, toy, "--pipeline") == 1
    total = chain_of(toy)
    said = (
        f"quantized_int8@torch was trained for {total - 3} epochs in all, and params.yaml's train, prune and qat make"
    )
    assert f"{said} {total}:" in capsys.readouterr().err


def test_a_pipeline_of_the_same_epochs_is_compared(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reports(toy, chain_of(toy))
    monkeypatch.setattr(equal_epochs.Comparison, "unpruned", lambda *_: ACCURACY)
    assert compared(monkeypatch, toy, "--pipeline", "--out", str(toy / "new/lost.json")) == 0
    assert "mean 10.00" in capsys.readouterr().out
    assert json.loads((toy / "new/lost.json").read_text()) == [{"seed": 1, "quantized": 0.4, "unpruned": 0.5}]


def test_seeds_beside_a_pipeline_are_refused(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compared(monkeypatch, toy, "--pipeline", "--seeds", "2") == 2
    assert "leave out --seeds" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--pipeline"], "metrics.json: dvc repro first"),
        (["--project", "nowhere"], "no params.yaml in nowhere"),
        (["--device", "cuda"], "no CUDA device"),
        (["--out", "."], "--out . is a folder"),
    ],
)
def test_what_is_missing_is_one_line(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert compared(monkeypatch, toy, *words) == 1
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


def test_reports_without_a_deployed_row_are_one_line(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reports(toy, chain_of(toy), deployed="other@torch")
    assert compared(monkeypatch, toy, "--pipeline") == 1
    assert "says nothing of a deployed row" in capsys.readouterr().err


def test_a_seed_is_kept_before_the_next_begins(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def compressed(_: object, seed: int) -> dict[str, Accuracy]:
        if seed == 2:
            raise KeyboardInterrupt
        return {"quantized": ACCURACY}

    monkeypatch.setattr(equal_epochs.Comparison, "compressed", compressed)
    monkeypatch.setattr(equal_epochs.Comparison, "unpruned", lambda *_: ACCURACY)
    assert compared(monkeypatch, toy, "--seeds", "1", "2", "--out", str(toy / "lost.json")) == 130
    assert [row["seed"] for row in json.loads((toy / "lost.json").read_text())] == [1]


def test_calibration_takes_the_batches_of_the_stage(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def calibrate(_: Any, batches: Any, __: str) -> None:
        sizes.extend(len(batch) for batch in batches)

    monkeypatch.setattr(equal_epochs, "calibrate", calibrate)
    monkeypatch.setattr(equal_epochs, "fold_batch_norms", lambda network: network)
    monkeypatch.setattr(equal_epochs, "QuantizedDetector", lambda network: network)
    settings = changed_settings(read_params(toy), {})
    network: Any = SimpleNamespace(cpu=lambda: network, to=lambda _: network)
    equal_epochs.Comparison(settings, toy, "cpu").quantized(network)
    assert sizes == [settings.train.batch_size] * 2
