"""Every file of conf/ composes into settings: a recipe that nobody runs daily cannot rot."""

from dataclasses import fields
from pathlib import Path

import pytest

from pipelines.compose import CONF, composed
from stages.settings import Settings

OPTIONS = sorted(path.relative_to(CONF).with_suffix("") for path in CONF.rglob("*.yaml") if path.parent != CONF)
SECTIONS = {field.name for field in fields(Settings)}


@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_every_option_composes_through_its_dataclass(option: Path) -> None:
    assert set(composed([f"{option.parent}={option.name}"])) == SECTIONS


def test_the_glob_saw_every_group_and_experiment() -> None:
    groups = {option.parts[0] for option in OPTIONS}
    assert groups == SECTIONS | {"experiment"}
    assert {"digits", "bccd", "smoke"} <= {option.name for option in OPTIONS if option.parts[0] == "experiment"}
    assert {path.name for path in CONF.glob("*.yaml")} == {"config.yaml", "entry.yaml", "sweep.yaml"}


def test_no_value_comes_from_the_environment_but_runtime() -> None:
    offenders = [str(path) for path in CONF.rglob("*.yaml") if "${oc.env" in path.read_text("utf-8")]
    assert offenders == [str(CONF / "entry.yaml")], "an environment value in conf/ would be frozen into params.yaml"


def test_yaml_never_runs_code() -> None:
    words = ("_target_", "${eval", "!!python")
    assert [str(path) for path in CONF.rglob("*.yaml") if any(word in path.read_text("utf-8") for word in words)] == []
