"""conf/ into params.yaml."""

from pathlib import Path

import pytest
import yaml

from pipelines.compose import composed, main, write_snapshot
from stages._entry.failures import guarded


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "dvc.yaml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_experiment_and_values_are_composed_in_that_order(project: Path) -> None:
    write_snapshot(project, ["experiment=bccd", "prune.threshold=0.125"])
    values = yaml.safe_load((project / "params.yaml").read_text("utf-8"))
    assert values["dataset"]["source"] == "data/raw/bccd"
    assert values["prune"]["threshold"] == 0.125
    assert values == composed(["experiment=bccd", "prune.threshold=0.125"])


def test_unchanged_snapshot_is_left_alone(project: Path) -> None:
    write_snapshot(project)
    before = (project / "params.yaml").stat().st_ino
    write_snapshot(project)
    assert (project / "params.yaml").stat().st_ino == before


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model=resnet9", "Could not find 'model/resnet9'"),
        ("modle=resnet18", "unknown key or group modle (did you mean model?)"),
        ("prune.treshold=1", "unknown key or group prune.treshold (did you mean prune.threshold?)"),
        ("+prune.extra=1", "unknown key or group prune.extra"),
        ("prune.threshold=high", "prune.threshold must be a number, found 'high' (str)"),
        ("prune.threshold=[", "cannot read the override 'prune.threshold=['"),
        ("experiment=nothing", "Could not find 'experiment/nothing'"),
    ],
)
def test_bad_override_is_one_line_and_writes_nothing(
    project: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    override: str,
    message: str,
) -> None:
    monkeypatch.setattr("sys.argv", ["compose", override])
    assert guarded("compose", main) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert message in lines[0]
    assert not (project / "params.yaml").exists()


def test_outside_a_project_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert guarded("compose", main) == 1
    assert "run this from the project's root" in capsys.readouterr().err
