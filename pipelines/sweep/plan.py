"""What a command line asks for: every trial, composed and checked before any of them starts."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from netwright.errors import UserError
from pipelines.compose import check_keys
from pipelines.sweep.state import trial_name
from stages._entry.app import validated
from stages._entry.snapshot import typed

CONFIG = "sweep"
FREE = ("hydra", "sweep")
_LONGEST = 80  # characters of a sweep's own name


@dataclass(frozen=True, kw_only=True)
class SweepSettings:
    """The section ``sweep`` of conf/sweep.yaml."""

    name: str
    timing: Literal["auto", "trial", "end"]


@dataclass(frozen=True, kw_only=True)
class PlannedTrial:
    """``overrides`` as Hydra's launcher will hand them over, ``values`` the whole params.yaml."""

    overrides: tuple[str, ...]
    values: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A sweep as asked for. ``trials`` is empty where the sweeper chooses them as it goes; ``launcher`` is its name."""

    name: str
    settings: SweepSettings
    launcher: str
    trials: tuple[PlannedTrial, ...]

    @property
    def times_last(self) -> bool:
        """Whether timing waits until all is trained: trials that run side by side would disturb each other's."""
        if self.settings.timing != "auto":
            return self.settings.timing == "end"
        return self.launcher not in ("basic", "submitit_slurm")


def make_plan(conf: Path, overrides: Sequence[str]) -> Plan:
    """Compose every trial from the folder ``conf``.

    Raises UserError for an unknown key, a value out of range and the like, whichever trial has it.
    """
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from omegaconf import OmegaConf

    check_keys(overrides, free=FREE)
    with initialize_config_dir(config_dir=str(conf), version_base="1.3"):
        fixed, trials = _divided(overrides, GlobalHydra.instance().config_loader())
        base = compose(config_name=CONFIG, overrides=fixed, return_hydra_config=True)
        settings: SweepSettings = typed(OmegaConf.to_container(base.sweep), SweepSettings, "sweep")
        choices = base.hydra.runtime.choices
        if choices["hydra/sweeper"] != "basic":
            trials = []
        planned = [PlannedTrial(overrides=tuple(trial), values=_values(trial, fixed)) for trial in trials]
    return Plan(
        name=settings.name or _name(str(base.dataset.name), overrides, trials),
        settings=settings,
        launcher=str(choices["hydra/launcher"]),
        trials=tuple(planned),
    )


def values_of(config: Any) -> dict[str, Any]:
    """The params.yaml of a trial that Hydra composed. Raises UserError where a section breaks its dataclass."""
    from omegaconf import OmegaConf

    container = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True, throw_on_missing=True))
    values = {section: value for section, value in container.items() if section not in FREE}
    validated(values)
    return values


def _divided(overrides: Sequence[str], loader: Any) -> tuple[list[str], list[list[str]]]:
    """What is set once, for the sweep itself, and the overrides of each trial."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed = OverridesParser.create(config_loader=loader).parse_overrides(list(overrides))
    own = [override for override in parsed if _is_free(override.key_or_group)]
    for override in own:
        if override.is_sweep_override():
            raise UserError(f"{override.input_line} cannot be swept: it says how the sweep runs, give it one value")
    asked = [override for override in parsed if not _is_free(override.key_or_group)]
    return [str(override.input_line) for override in own], BasicSweeper.split_arguments(asked, None)[0]


def _is_free(key: str) -> bool:
    return key.split(".", maxsplit=1)[0].split("/", maxsplit=1)[0] in FREE


def _values(trial: Sequence[str], fixed: Sequence[str]) -> dict[str, Any]:
    from hydra import compose

    try:
        return values_of(compose(config_name=CONFIG, overrides=[*fixed, *trial]))
    except UserError as error:
        raise UserError(f"trial {trial_name(trial)}: {error}") from None


def _name(dataset: str, overrides: Sequence[str], trials: Sequence[Sequence[str]]) -> str:
    """The same for the same overrides of the same dataset."""
    asked = sorted(override for override in overrides if not override.startswith(FREE))
    swept = {key for trial in trials for key in (override.partition("=")[0] for override in trial)}
    swept = {key for key in swept if len({tuple(o for o in trial if o.startswith(f"{key}=")) for trial in trials}) > 1}
    told = "-".join([dataset, *sorted(swept)]).replace("/", "_")[:_LONGEST]
    return f"{told}-{hashlib.sha256(chr(10).join(asked).encode()).hexdigest()[:6]}"
