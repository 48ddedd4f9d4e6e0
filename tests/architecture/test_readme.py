"""The README tells no tales: its commands, links and places exist."""

import importlib.util
import re
import tomllib
from pathlib import Path

from pipelines.compose import CONF, composed
from pipelines.sweep.command import read_arguments
from pipelines.sweep.plan import make_plan
from stages._entry.overrides import check_overrides

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))
CODE = [line.partition("#")[0].strip() for line in BLOCKS.splitlines()] + re.findall(r"`([^`\n]+)`", README)


def test_it_fits_on_one_screen() -> None:
    assert len(README.splitlines()) <= 80


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    used = {match for line in CODE for match in re.findall(r"^make ([a-z-]+)", line)}
    assert {"repro", "test", "ui"} <= used <= targets


def test_modules_exist() -> None:
    used = {match for line in CODE for match in re.findall(r"python -m ([a-z_.]+)", line)}
    assert len(used) >= 2
    assert [name for name in used if importlib.util.find_spec(name) is None] == []


def test_overrides_are_valid() -> None:
    for line in CODE:
        module = re.match(r"(?:python -m (\S+)|dvc exp run -S) (.+)", line)
        if module and (module[1] or "").startswith("stages."):
            stage = module[1].removeprefix("stages.")
            check_overrides(stage, module[2].split(), {stage: [module[2].split(".")[0]]})
        elif module and module[1] == "pipelines.sweep":
            assert make_plan(CONF, read_arguments(module[2].split()).overrides).trials
        elif module and "=" in module[2]:
            composed(module[2].split())


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert len(links) >= 3
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_named_places_exist() -> None:
    places = {code for code in CODE if re.fullmatch(r"(netwright|stages|conf|pipelines|docs)/[\w/.-]*", code)}
    invented = {place for place in places if re.search(r"\b(foo|mine)\b", place)}
    assert [place for place in places - invented if not (ROOT / place).exists()] == []


def test_extras_are_declared() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    named = set(re.findall(r"\.\[([a-z-]+)\]", README)) | {"nvidia-pyindex"}
    assert named == set(extras) - {"dev"}
    assert len(extras["nvidia-pyindex"]) == 1
