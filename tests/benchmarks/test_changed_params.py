"""Words and files that change params.yaml are read as Hydra reads them, or refused in one line."""

import argparse
from pathlib import Path

import pytest

from benchmarks.changed_params import changed_settings, parsed_changes, read_params, refuse_owned
from benchmarks.whole_number import at_least
from netwright.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("text", "value"), [("1e-3", 0.001), ("2E+1", 20.0), ("1.5e2", 150.0), ("-1e3", -1000.0), (".5e1", 5.0)]
)
def test_numbers_with_an_exponent_are_numbers(text: str, value: float) -> None:
    assert parsed_changes([f"train.learning_rate={text}"]) == {"train.learning_rate": value}


def test_numbers_with_an_exponent_reach_the_settings(tmp_path: Path) -> None:
    changes = parsed_changes(["train.learning_rate=1e-3", "train.augment.scale=[5e-1, 2]", "dataset.name=e3"])
    settings = changed_settings(read_params(ROOT), changes)
    assert settings.train.learning_rate == 0.001
    assert settings.train.augment.scale == (0.5, 2.0)
    assert settings.dataset.name == "e3"
    (tmp_path / "params.yaml").write_text("train: {learning_rate: 1e-3}")
    assert read_params(tmp_path) == {"train": {"learning_rate": 0.001}}


@pytest.mark.parametrize("word", ["train.compiled=[augment", "train.epochs", "epochs=3"])
def test_a_change_that_is_none_is_named(word: str) -> None:
    with pytest.raises(UserError, match="cannot read the change"):
        parsed_changes([word])


@pytest.mark.parametrize("text", ["", "- a\n", "text", "a: [", b"\xff\xfe"])
def test_a_params_file_without_sections_is_named(tmp_path: Path, text: str | bytes) -> None:
    (tmp_path / "params.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=r"params\.yaml (holds no sections|is damaged)"):
        read_params(tmp_path)


def test_what_another_option_sets_is_refused() -> None:
    owners = {"train.batch_size": "--batch"}
    refuse_owned({"train.epochs": 1}, owners)
    with pytest.raises(UserError, match=r"--set train\.batch_size is what --batch sets"):
        refuse_owned({"train.epochs": 1, "train.batch_size": 2}, owners)


def test_whole_numbers_have_a_least_value() -> None:
    assert at_least(2)("2") == 2
    for text, said in (("1", "at least 2"), ("1.5", "no whole number"), ("", "no whole number")):
        with pytest.raises(argparse.ArgumentTypeError, match=said):
            at_least(2)(text)
