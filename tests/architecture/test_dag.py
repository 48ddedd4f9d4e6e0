"""dvc.yaml and the code say the same thing."""

from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import grimp
import pytest
import yaml

from stages.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
STAGES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
NOT_STAGES = {"settings", "paths"}
OF_PIPELINES = {"champion"}  # sections that verbs on the whole pipeline read, and no stage


def module_of(stage: str) -> str:
    return stage.replace("-", "_")


@cache
def import_graph() -> grimp.ImportGraph:
    return grimp.build_graph("netwright", "stages", cache_dir=None)


def file_of(module: str) -> str:
    path = Path(*module.split("."))
    return str(path / "__init__.py" if (ROOT / path).is_dir() else path.with_suffix(".py"))


def code_deps(stage: str) -> list[str]:
    return [dep for dep in STAGES[stage]["deps"] if dep.startswith(("netwright/", "stages/"))]


def covers(dep: str, file: str) -> bool:
    return file == dep or file.startswith(f"{dep}/")


def closure(stage: str) -> set[str]:
    module = f"stages.{module_of(stage)}"
    return {file_of(name) for name in {module} | import_graph().find_upstream_modules(module)}


def test_stages_of_dvc_yaml_are_the_modules_of_stages() -> None:
    modules = {path.stem for path in (ROOT / "stages").glob("*.py") if not path.name.startswith("_")}
    assert {module_of(stage) for stage in STAGES} == modules - NOT_STAGES
    assert len(STAGES) == 7


@pytest.mark.parametrize("stage", STAGES)
def test_deps_cover_the_import_closure(stage: str) -> None:
    missing = {file for file in closure(stage) if not any(covers(dep, file) for dep in code_deps(stage))}
    assert not missing, f"dvc.yaml: {stage} runs this code without a dep on it: {sorted(missing)}"


@pytest.mark.parametrize("stage", STAGES)
def test_no_code_dep_is_idle(stage: str) -> None:
    idle = {dep for dep in code_deps(stage) if not any(covers(dep, file) for file in closure(stage))}
    assert not idle, f"dvc.yaml: {stage} would run again for code that it does not use: {sorted(idle)}"


@pytest.mark.parametrize("stage", STAGES)
def test_packages_above_covered_code_hold_no_code(stage: str) -> None:
    parents = {str(parent / "__init__.py") for file in closure(stage) for parent in Path(file).parents if parent.name}
    bare = {"stages/__init__.py"}  # telemetry switches: no result depends on them
    uncovered = {file for file in parents - bare if not any(covers(dep, file) for dep in code_deps(stage))}
    assert [file for file in uncovered if "import" in (ROOT / file).read_text("utf-8")] == []


def test_every_declared_section_exists_and_every_section_is_read() -> None:
    declared = {entry for block in STAGES.values() for entry in block["params"] if isinstance(entry, str)}
    assert declared.isdisjoint(OF_PIPELINES)
    assert declared | OF_PIPELINES == {field.name for field in fields(Settings)}


def test_every_command_is_its_own_module() -> None:
    for stage, block in STAGES.items():
        assert block["cmd"] == f"PATH=.venv/bin:$PATH python -m stages.{module_of(stage)}"


def test_machine_facts_are_params_of_benchmark_alone() -> None:
    readers = [stage for stage, block in STAGES.items() if {"machine.json": None} in block["params"]]
    assert readers == ["benchmark"]
