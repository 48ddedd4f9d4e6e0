"""Stages in separate calls, and the way home of what they wrote: hashes that betray any difference."""

import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks import elsewhere_sums, train_elsewhere
from stages import paths
from tests.benchmarks.called import called
from tests.benchmarks.pretended_stage import edit, pretended


@pytest.fixture
def project(toy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(toy)
    return toy


def stage(monkeypatch: pytest.MonkeyPatch, name: str) -> int:
    return called(monkeypatch, train_elsewhere.main, "--device", "cpu", "--first", name, "--through", name)


def test_stages_in_separate_calls_are_named_together(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(train_elsewhere, "run_stage", pretended)
    assert [stage(monkeypatch, name) for name in ("train", "prune", "prune", "qat")] == [0] * 4
    said = capsys.readouterr().out.splitlines()[-2:]
    assert said[0].endswith("back.tgz elsewhere.sha256 models/trained models/pruned models/quantized")
    assert said[1].endswith("dvc commit -f train prune qat")
    names = [line.split("  ")[1] for line in elsewhere_sums.SUMS.read_text().splitlines()]
    assert len(names) == len(set(names))
    for folder in ("init", "trained", "pruned", "quantized"):
        assert f"models/{folder}/model.safetensors" in names
    assert subprocess.run(["sha256sum", "--quiet", "-c", str(elsewhere_sums.SUMS)], check=False).returncode == 0


def test_a_stage_does_not_go_on_from_one_of_other_values(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(train_elsewhere, "run_stage", pretended)
    assert stage(monkeypatch, "train") == 0
    before = elsewhere_sums.SUMS.read_text()
    edit("epochs: 2", "epochs: 3")
    assert stage(monkeypatch, "prune") == 1
    assert "params.yaml changed since train ran here" in capsys.readouterr().err
    assert elsewhere_sums.SUMS.read_text() == before
    edit("epochs: 3", "epochs: 2")
    (paths.TRAINED / "model.safetensors").write_text("of another training")
    assert stage(monkeypatch, "prune") == 1
    assert "models/trained/model.safetensors changed since train ran" in capsys.readouterr().err


def test_a_stage_whose_forerunner_ran_elsewhere_is_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(train_elsewhere, "run_stage", pretended)
    assert stage(monkeypatch, "train") == 0
    pretended("prune")
    assert stage(monkeypatch, "qat") == 1
    assert "names train and not prune" in capsys.readouterr().err


def test_what_goes_home_leaves_homes_own_first_weights_to_the_check(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(train_elsewhere, "run_stage", pretended)
    pretended("prune")  # what an older call has left
    home = tmp_path / "home"
    shutil.copytree(project, home, symlinks=True, ignore=lambda *_: ["pruned"])
    (paths.INIT / "model.safetensors").write_text("other first weights")
    assert stage(monkeypatch, "train") == 0
    carry, back = (line.partition(":")[2].strip() for line in capsys.readouterr().out.splitlines()[-2:])
    subprocess.run(carry, shell=True, check=True)
    shutil.copy("back.tgz", home)
    unpack, check, _ = back.split(" && ")
    subprocess.run(unpack, shell=True, check=True, cwd=home)
    found = subprocess.run(check, shell=True, check=False, cwd=home, capture_output=True, text=True)
    assert found.returncode == 1
    assert found.stdout == "models/init/model.safetensors: FAILED\n"
    assert not (home / paths.PRUNED).exists()
