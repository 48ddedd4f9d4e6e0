"""Hydra's command line: what it holds, and handing it to Hydra."""

import contextlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from netwright.errors import UserError
from pipelines.compose import CONF
from pipelines.sweep.plan import CONFIG

if TYPE_CHECKING:
    from omegaconf import DictConfig

_REFUSED = ("config_path", "config_name", "config_dir", "experimental_rerun", "package")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The overrides of a command line; ``shows`` where it only asks to see something."""

    overrides: tuple[str, ...]
    shows: bool


def read_arguments(arguments: Sequence[str]) -> Asked:
    """Read Hydra's grammar. Raises UserError for an option that Hydra has not, or that a sweep has no use for."""
    from hydra._internal.utils import get_args_parser

    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            found = get_args_parser().parse_args(list(arguments))
    except SystemExit:
        raise UserError(f"{said.getvalue().strip().rpartition('error: ')[2]} (see --help)") from None
    for name in _REFUSED:
        if getattr(found, name, None):
            raise UserError(
                f"--{name.replace('_', '-')} is not for sweeps: trials are composed from conf/ of the project"
            )
    shows = bool(found.help or found.hydra_help or found.cfg or found.info or found.shell_completion)
    return Asked(overrides=tuple(found.overrides), shows=shows)


def multirun(conf: Path, task: "Callable[[DictConfig], float | None]", overrides: Sequence[str]) -> None:
    """Let Hydra's sweeper and launcher run ``task`` for each trial of ``overrides``, composed from ``conf``."""
    _hydra(conf, task, ["--multirun", *overrides])


def show(arguments: Sequence[str]) -> None:
    """Let Hydra print what it is asked for."""
    _hydra(CONF, lambda _: None, [argument for argument in arguments if argument not in ("-m", "--multirun")])


def _hydra(conf: Path, task: "Callable[[DictConfig], float | None]", arguments: Sequence[str]) -> None:
    import hydra

    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises instead of printing; `guarded` finds the line to show
    before, sys.argv = sys.argv, ["python -m pipelines.sweep", *arguments]
    try:
        hydra.main(version_base="1.3", config_path=str(conf), config_name=CONFIG)(task)()
    except SystemExit as leaving:  # --help and its kind
        if leaving.code not in (0, None):
            raise UserError(f"Hydra refused: {' '.join(arguments)}") from None
    finally:
        sys.argv = before
