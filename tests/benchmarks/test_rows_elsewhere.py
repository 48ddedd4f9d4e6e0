"""rows_elsewhere: what is missing is one line, and params.yaml is read and checked as everywhere."""

from pathlib import Path

import pytest
import yaml

from benchmarks import rows_elsewhere
from tests.benchmarks.called import called


def measured(monkeypatch: pytest.MonkeyPatch, toy: Path, *words: str) -> int:
    rows = ["--runtimes", "torch", "--deployed", "quantized_int8@torch", "--baseline", "trained_fp32@torch"]
    place = ["--project", str(toy), "--out", str(toy / "out"), "--device", "cpu"]
    return called(monkeypatch, rows_elsewhere.main, *place, *rows, *words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "bundle.json"),
        (["--project", "nowhere"], "no params.yaml in nowhere"),
        (["--device", "cuda"], "no CUDA device"),
    ],
)
def test_what_is_missing_is_one_line(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert measured(monkeypatch, toy, *words) == 1
    error = capsys.readouterr().err
    assert error.startswith("rows_elsewhere: ")
    assert said in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(("text", "said"), [("", "holds no sections"), ("{benchmark: {rounds: 3}}", "missing key")])
def test_a_params_file_of_too_little_is_one_line(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    (toy / "params.yaml").write_text(text)
    assert measured(monkeypatch, toy) == 1
    assert said in capsys.readouterr().err


def test_the_stage_gets_the_rows_asked_for_and_the_projects_values(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[object] = []

    def run(benchmark: object, nms: object, **places: object) -> dict[str, object]:
        found.extend((benchmark, places["models"]))
        return {"rows": [], "pruning": {}, "comparison": {}, "deployed": ""}

    monkeypatch.setattr(rows_elsewhere, "run", run)
    assert measured(monkeypatch, toy) == 0
    benchmark, models = found
    params = yaml.safe_load((toy / "params.yaml").read_text())["benchmark"]
    changed = {"runtimes": ["torch"], "deployed": "quantized_int8@torch", "baseline": "trained_fp32@torch"}
    assert vars(benchmark) == params | changed
    assert models == {name: toy / "models" / name for name in ("trained", "pruned", "quantized")}
