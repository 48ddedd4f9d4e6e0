"""The road from a host without DVC: the same files as the stage writes, and hashes that betray any difference."""

import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import elsewhere_sums, train_elsewhere
from stages import paths
from tests.benchmarks.called import called
from tests.benchmarks.pretended_stage import OUTPUTS, edit, pretended
from tests.benchmarks.toy_project import ROOT


@pytest.fixture
def project(toy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(toy)
    monkeypatch.setenv("NETWRIGHT_DEVICE", "cpu")
    return toy


def test_it_writes_the_very_files_of_the_stage_and_their_hashes(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert called(monkeypatch, train_elsewhere.main, "--device", "cpu", "--scratch", "elsewhere") == 0
    elsewhere = {path.name: path.read_bytes() for path in paths.TRAINED.iterdir()}
    assert set(elsewhere) == OUTPUTS | {"history.csv"}
    check = ["sha256sum", "--quiet", "-c", str(elsewhere_sums.SUMS)]
    assert subprocess.run(check, check=False).returncode == 0
    sums = elsewhere_sums.SUMS.read_text()
    for name in ("params.yaml", "netwright/training/loop.py", "data/converted/manifest.json", "models/init/model.s"):
        assert name in sums
    shutil.rmtree(paths.TRAINED)
    assert called(monkeypatch, importlib.import_module("stages.train").main) == 0
    assert {name: (paths.TRAINED / name).read_bytes() for name in OUTPUTS} == {
        name: elsewhere[name] for name in OUTPUTS
    }
    manifest = Path("data/converted/manifest.json")
    manifest.write_text(manifest.read_text() + "\n")
    assert subprocess.run(check, check=False, capture_output=True).returncode == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--first", "prune", "--through", "prune"], "prune needs models/trained/model.safetensors"),
        (["--first", "qat", "--through", "train"], "--first qat comes after --through train"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_computed(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert called(monkeypatch, train_elsewhere.main, *arguments) == 1
    assert said in capsys.readouterr().err
    assert not elsewhere_sums.SUMS.exists()


def test_torchrun_takes_one_stage_at_a_time(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert called(monkeypatch, train_elsewhere.main, "--through", "qat") == 1
    assert "--first train --through train, then the next" in capsys.readouterr().err


def test_values_that_change_while_it_trains_get_no_hashes(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def trained(*_: object, **__: object) -> None:
        pretended("train")
        edit("epochs: 2", "epochs: 3")

    monkeypatch.setattr(train_elsewhere, "run_stage", trained)
    assert called(monkeypatch, train_elsewhere.main, "--device", "cpu") == 1
    assert "params.yaml changed while this trained" in capsys.readouterr().err
    assert not elsewhere_sums.SUMS.exists()


def test_code_and_pictures_that_come_while_it_trains_are_named(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def trained(*_: object, **__: object) -> None:
        pretended("train")
        Path("data/converted/more.parquet").touch()

    monkeypatch.setattr(train_elsewhere, "run_stage", trained)
    assert called(monkeypatch, train_elsewhere.main, "--device", "cpu") == 1
    assert "data/converted/more.parquet changed while" in capsys.readouterr().err


def test_a_gpu_that_is_not_here_is_said_in_this_commands_words(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert called(monkeypatch, train_elsewhere.main, "--device", "cuda") == 1
    assert capsys.readouterr().err == "train_elsewhere: --device is cuda, and torch sees no CUDA device here\n"


def test_it_needs_none_of_the_pipelines_tools() -> None:
    hidden = (
        "import sys; sys.modules.update(dict.fromkeys(('dvc', 'hydra', 'omegaconf', 'mlflow', 'rich', 'jsonschema')))"
    )
    code = f"{hidden}; from benchmarks import train_elsewhere; train_elsewhere.main()"
    found = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, cwd=ROOT)
    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.parametrize("text", [None, "", "train: {}"])
def test_a_params_file_that_is_none_is_one_line(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str | None
) -> None:
    Path("params.yaml").unlink()
    if text is not None:
        Path("params.yaml").write_text(text)
    assert called(monkeypatch, train_elsewhere.main, "--device", "cpu") == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
