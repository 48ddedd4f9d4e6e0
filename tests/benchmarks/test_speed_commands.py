"""train_speed and gpu_scaling: like is compared with like, and what cannot work is said before anything is measured."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import gpu_scaling, step_process, step_speed, train_speed
from tests.benchmarks.called import called
from tests.benchmarks.fake_ultralytics import make_ultralytics

COMMANDS = {"train": train_speed.main, "gpus": gpu_scaling.main}
FASTER = {"images_per_second": 10.0, "data_wait_share": 0.1}


class Steps:
    """Stands for the process of step_speed: notes what was asked and answers at once."""

    def __init__(self, **answers: dict[str, Any]) -> None:
        self.answers, self.asked = answers, list[dict[str, Any]]()

    def __call__(self, asked: dict[str, Any], **_: object) -> list[str]:
        self.asked.append(asked)
        return [json.dumps({name: self.answers.get(name, FASTER) for name in asked["precisions"]})]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    steps = Steps()
    for module in (train_speed, gpu_scaling):
        monkeypatch.setattr(module, "step_lines", steps)
    return steps


def measured(monkeypatch: pytest.MonkeyPatch, command: str, toy: Path, *words: str) -> int:
    common = ["--project", str(toy), "--size", "64", "64", "--batch", "4", "--epochs", "2", "--rounds", "1"]
    return called(monkeypatch, COMMANDS[command], "--device", "cpu", *common, *words)


@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        ("train", ["--set", "train.batch_size=2"], "--set train.batch_size is what --batch sets"),
        ("train", ["--set", "model.height=32", "model.width=32"], "--set model.height is what --size sets"),
        ("train", ["--set", "train.precision=fp16"], "--set train.precision is what --precisions sets"),
        ("gpus", ["--set", "train.batch_size=2"], "--set train.batch_size is what --batch sets"),
        ("gpus", ["--set", "train.epochs=9"], "--set train.epochs is what --epochs sets"),
        ("train", ["--backbone", "nosuchnet"], "nosuchnet"),
        ("gpus", ["--set", "model.backbone=nosuchnet"], "nosuchnet"),
        ("gpus", ["--epochs", "1"], "--epochs 1 leaves no warm epochs"),
        ("train", ["--device", "cuda"], "torch sees no CUDA device"),
        ("gpus", ["--device", "cuda"], "torch sees no CUDA device"),
        ("train", ["--out", "."], "--out . is a folder"),
        ("gpus", ["--out", "/dev/null/x.json"], "/dev/null"),
        ("train", ["--ultralytics-set", "optimizer"], "cannot read --ultralytics-set 'optimizer'"),
        ("train", ["--ultralytics-set", "imgsz=32"], "--ultralytics-set imgsz is what --size sets"),
        ("train", ["--ultralytics", "yolo11n.yaml", "--ultralytics-path", "nowhere"], "no Ultralytics in nowhere"),
        ("train", ["--project", "nowhere"], "no params.yaml in nowhere"),
    ],
)
def test_what_cannot_work_is_one_line_before_anything_is_measured(
    toy: Path,
    steps: Steps,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    words: list[str],
    said: str,
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert measured(monkeypatch, command, toy, *words) == 1
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1
    assert not steps.asked


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("train", ["--rounds", "0"]),
        ("gpus", ["--rounds", "0"]),
        ("gpus", ["--repeat", "0"]),
        ("gpus", ["--processes", "1"]),
    ],
)
def test_numbers_that_mean_nothing_are_refused(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, words: list[str]
) -> None:
    assert measured(monkeypatch, command, toy, *words) == 2
    assert f"argument {words[0]}: {words[1]} is too small" in capsys.readouterr().err


def test_too_few_gpus_are_said_before_the_first_measurement(
    toy: Path, steps: Steps, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    assert measured(monkeypatch, "gpus", toy, "--device", "cuda", "--epochs", "9") == 1
    assert "2 processes want a GPU each, and this host has 1" in capsys.readouterr().err
    assert not steps.asked


def test_both_sides_have_the_batch_and_the_result_is_kept_in_a_new_folder(
    toy: Path, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert measured(monkeypatch, "gpus", toy, "--rounds", "2", "--out", str(toy / "new/scaling.json")) == 0
    assert [asked["changes"]["train.batch_size"] for asked in steps.asked] == [4, 8, 4, 8]
    assert json.loads((toy / "new/scaling.json").read_text()) == {"1": [10.0] * 2, "2": [10.0] * 2}


def test_each_round_is_kept_before_the_next(toy: Path, steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    make_ultralytics(toy.parent / "peer")
    out = toy / "new/speed.json"
    peer = ["--ultralytics", "yolo11n.yaml", "--ultralytics-path", str(toy.parent / "peer")]
    assert measured(monkeypatch, "train", toy, *peer, "--epochs", "4", "--precisions", "fp32", "--out", str(out)) == 0
    kept = json.loads(out.read_text())
    assert kept["ours"] == {"fp32": [FASTER]}
    assert kept["ultralytics"] == {"amp=False tf32=False": [8.0]}  # eight pictures, a second an epoch
    steps.answers = {"fp32": {"failed": "RuntimeError: broken"}}
    assert measured(monkeypatch, "train", toy, "--precisions", "fp32", "--out", str(out)) == 1


def test_where_nothing_could_be_measured_the_reasons_are_the_error(
    toy: Path, steps: Steps, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps.answers = {"bf16": {"failed": "RuntimeError: broken"}}
    assert measured(monkeypatch, "train", toy, "--precisions", "bf16") == 1
    assert "nothing could be measured: bf16 RuntimeError: broken" in capsys.readouterr().err
    assert measured(monkeypatch, "train", toy, "--precisions", "fp32", "bf16") == 0
    assert "bf16 failed: RuntimeError: broken" in capsys.readouterr().out


def test_steps_are_measured_in_a_process_of_their_own(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert measured(monkeypatch, "train", toy, "--precisions", "fp32", "--out", str(toy / "speed.json")) == 0
    line = json.loads((toy / "speed.json").read_text())["ours"]["fp32"][0]
    assert line["images_per_second"] > 0
    assert 0 <= line["data_wait_share"] <= 1


def test_the_process_of_steps_says_what_is_wrong_in_one_line(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    asked = {"project": str(toy), "changes": {}, "device": "cuda", "precisions": ["fp32"], "processes": 2}
    assert called(monkeypatch, step_speed.main, json.dumps(asked)) == 1
    assert capsys.readouterr().err == "step_speed: --device is cuda, and torch sees no CUDA device here\n"


def test_a_process_of_steps_that_dies_is_named(toy: Path) -> None:
    asked = {"project": str(toy / "nowhere"), "changes": {}, "device": "cpu", "precisions": ["fp32"]}
    with pytest.raises(Exception, match="ours ended with status 1: see above"):
        step_process.step_lines(asked, who="ours", limit_s=60)
