"""What is to be trained: bad tables and options are refused in one line, and files of weights count by content."""

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import recipes, time_to_accuracy
from benchmarks.recipe_inputs import backbone_alone, with_own_weights
from benchmarks.recipe_lock import alone_in
from benchmarks.recipe_plan import planned, read_table
from benchmarks.recipe_run import Place
from netwright.errors import UserError
from stages import paths
from tests.benchmarks.called import called


@pytest.fixture
def project(toy: Path) -> Path:
    (toy / "table.yaml").write_text("recipes: {plain: {}}\n")
    return toy


def test_the_content_of_a_weight_file_counts_and_that_of_the_folder_around_it(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    found = []
    for content, architecture in (("a", ""), ("b", ""), ("b", "c"), ("b", "d")):
        weights.write_text(content)
        if architecture:
            (tmp_path / "architecture.json").write_text(architecture)
        found.append(with_own_weights("inputs", str(weights)))
    assert len({"inputs", *found}) == 5
    assert with_own_weights("inputs", str(weights)) == found[-1]


def test_other_weights_in_the_same_file_make_another_run(project: Path, tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    given = argparse.Namespace(project=project, set=[f"pretrain_init.weights={weights}"], seeds=[1])
    place = Place(data=project / paths.CONVERTED, scratch=tmp_path, out=tmp_path, device="cpu")
    keys = []
    for content in ("a", "a", "b"):
        weights.write_text(content)
        keys += [run.key for run in planned(given, {"plain": {}}, place)]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize("weights", ["random", "efficientnet_lite0_imagenet", "timm:ra_in1k"])
def test_runs_without_a_weight_file_of_their_own_keep_their_keys(weights: str) -> None:
    assert with_own_weights("inputs", weights) == "inputs"


def test_a_missing_weight_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read the weight file .*nowhere\.safetensors"):
        with_own_weights("inputs", str(tmp_path / "nowhere.safetensors"))


def test_the_backbone_alone_is_a_model_folder_without_the_head(project: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    whole = load_file(project / paths.INIT / "model.safetensors")
    alone = load_file(backbone_alone(project / paths.INIT, tmp_path / "backbone"))
    assert set(alone) == {name for name in whole if name.startswith("backbone.")} < set(whole)
    assert all(alone[name].equal(whole[name]) for name in alone)
    assert (tmp_path / "backbone/architecture.json").is_file()


def test_a_recipe_whose_name_is_no_file_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "table.yaml").write_text("recipes: {lr/2: {train.epochs: 1}}\n")
    with pytest.raises(UserError, match="recipe 'lr/2'"):
        read_table(tmp_path / "table.yaml")


@pytest.mark.parametrize("option", ["--workers", "--failures"])
def test_options_below_one_are_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    asked = f"run {project}/table.yaml --out {project}/never --device cpu {option} 0".split()
    assert called(monkeypatch, recipes.main, *asked) == 2
    assert f"{option}: 0 is too small" in capsys.readouterr().err
    assert not (project / "never").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--backbone-of", "nowhere"], "no architecture.json in nowhere"),
        (["--set", "train.seed=3"], "--set train.seed is what --seeds sets"),
    ],
)
def test_bad_options_of_run_are_one_line(
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    said: str,
) -> None:
    place = f"{project}/table.yaml --project {project} --out {tmp_path}/runs --device cpu".split()
    assert called(monkeypatch, recipes.main, "run", *place, *options) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


@pytest.mark.parametrize(
    "main", [recipes.main, time_to_accuracy.main], ids=lambda main: main.__module__.rpartition(".")[2]
)
def test_nothing_is_trained_beside_another_command(
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    main: Callable[[], None],
) -> None:
    monkeypatch.setattr("benchmarks.recipe_lock.PATIENCE_S", 0.1)
    table = ["run", f"{project}/table.yaml"] if main is recipes.main else []
    place = f"--project {project} --out {tmp_path}/runs --device cpu".split()
    with alone_in(tmp_path / "runs"):
        assert called(monkeypatch, main, *table, *place) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "another command is at work" in line


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("pretrain_init.weights=random", "--weights"),
        ("train.validate_every=5", "--every"),
        ("train.patience=3", "stops early"),
    ],
)
def test_time_to_accuracy_refuses_changes_of_what_it_compares(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], change: str, said: str
) -> None:
    asked = f"--project {project} --out {project}/never --device cpu --set {change}".split()
    assert called(monkeypatch, time_to_accuracy.main, *asked) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert change.partition("=")[0] in line
    assert said in line
    assert not (project / "never").exists()


def test_a_table_of_nothing_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(monkeypatch, recipes.main, "table", "nosuch") == 1
    captured = capsys.readouterr()
    assert "nosuch has no results.jsonl" in captured.err
    assert captured.out == ""
