"""What differs between two runs: configuration, data, code, and the stages whose inputs or outputs changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

from pipelines.tracking.trials import Trial

_CODE = (("mlflow.source.git.commit", "commit"), ("git.dirty", "uncommitted edits"), ("git.tree", "tree"))
_MACHINE = ("deployed.row", "deployed.runtime", "deployed.device", "deployed.precision_used", "deployed.threads")
_MOST_LISTED = 3
_INPUTS, _OUTPUTS = ("deps", "params", "cmd"), ("outs",)


@dataclass(frozen=True, kw_only=True)
class Change:
    """``what`` has ``first`` in one run and ``second`` in the other; "" where it is absent."""

    what: str
    first: str
    second: str


@dataclass(frozen=True, kw_only=True)
class StageChange:
    """A stage of dvc.lock with the names of changed inputs (files, sections of params.yaml) and outputs."""

    stage: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def told(self) -> str:
        """In a phrase; many files are counted."""
        return f"{_listed('inputs', self.inputs)}; {_listed('outputs', self.outputs)}"


def _listed(what: str, names: tuple[str, ...]) -> str:
    if not names:
        return f"same {what}"
    folders = sorted({name.rpartition("/")[0] or name for name in names})
    counted = f"{len(names)} in {', '.join(folders)}" if len(names) > _MOST_LISTED else ", ".join(names)
    return f"{what} changed: {counted}"


@dataclass(frozen=True, kw_only=True)
class Changes:
    """``stages`` is None where one of the runs has no dvc.lock."""

    config: tuple[Change, ...]
    data: tuple[Change, ...]
    code: tuple[Change, ...]
    measured: tuple[Change, ...]
    stages: tuple[StageChange, ...] | None


Lock = Mapping[str, Mapping[str, Any]]  # stage -> cmd, deps, params, outs, as dvc.lock has them


def changes(first: Trial, second: Trial, locks: tuple[Lock, Lock] | None) -> Changes:
    """All that differs between two runs; ``locks`` are the stages of their dvc.lock."""
    return Changes(
        config=tuple(_differing(first.params, second.params)),
        data=tuple(_data(first, second)),
        code=tuple(
            Change(what=label, first=first.tags.get(tag, ""), second=second.tags.get(tag, ""))
            for tag, label in _CODE
            if first.tags.get(tag) != second.tags.get(tag)
        ),
        measured=tuple(
            _differing(*({name: trial.tags.get(name, "") for name in _MACHINE} for trial in (first, second)))
        ),
        stages=None if locks is None else tuple(_stages(*locks)),
    )


def _differing(first: Mapping[str, str], second: Mapping[str, str]) -> Iterator[Change]:
    for name in sorted({*first, *second}):
        if first.get(name) != second.get(name):
            yield Change(what=name, first=first.get(name, ""), second=second.get(name, ""))


def _data(first: Trial, second: Trial) -> Iterator[Change]:
    """Name and fingerprint, and where the content differs how much of it there is."""
    tags = ("dataset", "dataset.fingerprint")
    yield from _differing(*({tag: trial.tags.get(tag, "") for tag in tags} for trial in (first, second)))
    counts = (
        {name: f"{value:g}" for name, value in trial.metrics.items() if name.startswith("data/")}
        for trial in (first, second)
    )
    yield from _differing(*counts)


def _stages(first: Lock, second: Lock) -> Iterator[StageChange]:
    for stage in _in_order({**first, **second}):
        one, other = first.get(stage, {}), second.get(stage, {})
        inputs, outputs = (tuple(_parts(one, other, kinds)) for kinds in (_INPUTS, _OUTPUTS))
        if inputs or outputs:
            yield StageChange(stage=stage, inputs=inputs, outputs=outputs)


def _in_order(lock: Lock) -> Iterator[str]:
    """Stages after those whose outputs they read; dvc.lock has them by name."""
    outs = {stage: [str(out["path"]) for out in block.get("outs", [])] for stage, block in lock.items()}
    deps = {stage: [str(dep["path"]) for dep in block.get("deps", [])] for stage, block in lock.items()}
    above = {stage: [other for other in lock if other != stage and _meet(deps[stage], outs[other])] for stage in lock}
    return iter(TopologicalSorter(above).static_order())


def _meet(deps: Sequence[str], outs: Sequence[str]) -> bool:
    """Whether one of ``deps`` is, holds or lies in one of ``outs``."""
    return any(f"{dep}/".startswith(f"{out}/") or f"{out}/".startswith(f"{dep}/") for dep in deps for out in outs)


def _parts(one: Mapping[str, Any], other: Mapping[str, Any], kinds: tuple[str, ...]) -> Iterator[str]:
    for kind in kinds:
        before, after = (_content(block.get(kind)) for block in (one, other))
        yield from (name for name in sorted({*before, *after}) if before.get(name) != after.get(name))


def _content(value: Any) -> dict[str, Any]:
    """What stands for each input or output of a block: a file's hash, the values of a section of params.yaml."""
    if isinstance(value, list):
        return {entry["path"]: entry.get("md5") for entry in value}
    if isinstance(value, Mapping):  # params: file -> section -> values
        return {
            str(section if file == "params.yaml" else file): told
            for file, sections in value.items()
            for section, told in (sections.items() if file == "params.yaml" else [(file, sections)])
        }
    return {} if value is None else {"command": value}
