"""Results of Ultralytics are kept with what they are of: other settings or data are refused, never taken for them."""

import json
from pathlib import Path

import pytest

from benchmarks import ultralytics_process
from benchmarks.ultralytics_program import Program, write_yolo
from netwright.artifacts.dataset import MANIFEST
from stages import paths
from tests.benchmarks.called import called
from tests.benchmarks.fake_ultralytics import make_ultralytics


def trained(monkeypatch: pytest.MonkeyPatch, toy: Path, *words: str) -> int:
    where = ["--path", str(toy.parent / "peer"), "--project", str(toy), "--out", str(toy / "out"), "--device", "cpu"]
    return called(monkeypatch, ultralytics_process.main, "yolo11n.yaml", *where, "--size", "64", *words)


def test_seeds_go_on_and_other_settings_are_refused(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = make_ultralytics(toy.parent / "peer")
    assert trained(monkeypatch, toy, "--epochs", "3") == 0
    assert {path.name for path in (toy / "out").glob("1*.json")} == {"1.json", "1-val.json", "1-test.json"}
    assert json.loads((toy / "out/1.json").read_text())["epochs"] == 3
    assert len(calls.read_text().splitlines()) == 3
    assert trained(monkeypatch, toy, "--epochs", "3", "--seeds", "1", "2") == 0
    assert "seed 1 is there already" in capsys.readouterr().out
    assert len(calls.read_text().splitlines()) == 6
    for words, name in ((["--epochs", "5"], "epochs"), (["--epochs", "3", "--set", "lr0=0.1"], "lr0")):
        assert trained(monkeypatch, toy, *words, "--seeds", "3", "1") == 1
        assert f"1.json is of other values ({name}): choose another --out" in capsys.readouterr().err
    assert len(calls.read_text().splitlines()) == 6  # seed 3 was not trained before seed 1 was looked at


def test_results_without_their_settings_are_made_anew(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = make_ultralytics(toy.parent / "peer")
    (toy / "out").mkdir()
    for split in ("val", "test"):  # a call that was cut off, of whatever settings
        (toy / f"out/1-{split}.json").write_text("[]")
    assert trained(monkeypatch, toy, "--epochs", "3") == 0
    assert len(calls.read_text().splitlines()) == 3


def other_data(toy: Path) -> None:
    manifest = toy / paths.CONVERTED / MANIFEST
    value = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(value | {"classes": ["one", "two"], "fingerprint": "f" * 64}))


def test_another_dataset_is_another_yolo_copy_and_its_results_are_refused(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_ultralytics(toy.parent / "peer")
    assert trained(monkeypatch, toy, "--epochs", "3") == 0
    first = write_yolo(toy / paths.CONVERTED, toy / "out")
    other_data(toy)
    assert trained(monkeypatch, toy, "--epochs", "3") == 1
    assert "1.json is of other values (dataset)" in capsys.readouterr().err
    second = write_yolo(toy / paths.CONVERTED, toy / "out")
    assert ("red" in first.read_text(), "red" in second.read_text()) == (True, False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "optimizer"], "cannot read --set 'optimizer': write key=value"),
        (["--set", "epochs=3"], "--set epochs is what --epochs sets here"),
        (["--path", "nowhere"], "no Ultralytics in nowhere"),
    ],
)
def test_words_that_cannot_work_are_said_at_once(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    calls = make_ultralytics(toy.parent / "peer")
    assert trained(monkeypatch, toy, *words) == 1
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1
    assert not calls.exists()


def test_a_damaged_record_is_named(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_ultralytics(toy.parent / "peer")
    (toy / "out").mkdir()
    (toy / "out/1.json").write_text("{")
    assert trained(monkeypatch, toy) == 1
    assert "1.json is damaged" in capsys.readouterr().err


def test_a_gpu_that_is_not_here_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_ultralytics(tmp_path)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(Exception, match="no CUDA device"):
        Program(path=tmp_path, out=tmp_path, device="cuda", limit_s=1).check()
