"""The road from a host without DVC: the same files as the stage writes, and hashes that betray any difference."""

import importlib
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks import train_elsewhere
from stages import paths
from tests.benchmarks.toy_project import make_project

OUTPUTS = {"model.safetensors", "architecture.json", "metrics.json"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    make_project(folder)
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(made, tmp_path / "project", symlinks=True)
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("NETWRIGHT_DEVICE", "cpu")
    return tmp_path / "project"


def called(monkeypatch: pytest.MonkeyPatch, main: object, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["it", *arguments])
    with pytest.raises(SystemExit) as left:
        main()  # type: ignore[operator]
    return int(left.value.code or 0)


def test_it_writes_the_very_files_of_the_stage_and_their_hashes(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert called(monkeypatch, train_elsewhere.main, "--device", "cpu", "--scratch", "elsewhere") == 0
    elsewhere = {path.name: path.read_bytes() for path in paths.TRAINED.iterdir()}
    assert set(elsewhere) == OUTPUTS | {"history.csv"}
    check = ["sha256sum", "--quiet", "-c", str(train_elsewhere.SUMS)]
    assert subprocess.run(check, check=False).returncode == 0
    sums = train_elsewhere.SUMS.read_text()
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
    assert not train_elsewhere.SUMS.exists()


def test_torchrun_takes_one_stage_at_a_time(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert called(monkeypatch, train_elsewhere.main, "--through", "qat") == 1
    assert "--first train --through train, then the next" in capsys.readouterr().err
