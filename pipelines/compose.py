"""``python -m pipelines.compose [overrides]``: compose conf/ into params.yaml, the one file that stages read."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from netwright.artifacts.whole_file import write_text
from netwright.errors import UserError
from stages._entry.app import validated
from stages._entry.failures import guarded
from stages._entry.overrides import override_keys
from stages._entry.snapshot import known_keys, suggestion
from stages.settings import Settings

CONF = Path(__file__).resolve().parent.parent / "conf"
SNAPSHOT = "params.yaml"
_HEADER = "# Generated from conf/ by `python -m pipelines.compose`: do not edit; change conf/ and compose again.\n"


def composed(overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Compose conf/config.yaml with ``overrides`` (Hydra's grammar) and return plain, validated values.

    Raises UserError for an unknown, missing or mistyped key, and Hydra's own errors for bad overrides.
    """
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    check_keys(overrides)
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        config = compose(config_name="config", overrides=list(overrides))
    values: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    validated(values)
    return dict(values)


def check_keys(overrides: Sequence[str], *, free: Sequence[str] = ()) -> None:
    """Raise UserError for an override of a key that no section has, ``free`` first parts of keys excepted."""
    known = ["experiment", *known_keys(Settings)]
    for key in override_keys(overrides):
        if key not in known and key.split(".")[0].split("/")[0] not in free:
            raise UserError(f"unknown key or group {key}{suggestion(key, known)}")


def snapshot_text(values: Mapping[str, Any]) -> str:
    """What params.yaml holds for ``values``."""
    from omegaconf import OmegaConf

    return _HEADER + OmegaConf.to_yaml(OmegaConf.create(dict(values)))


def write_snapshot(project: Path, overrides: Sequence[str] = ()) -> None:
    """Compose and write ``project``/params.yaml whole; an unchanged snapshot is left alone."""
    text = snapshot_text(composed(overrides))
    path = project / SNAPSHOT
    if not path.is_file() or path.read_text("utf-8") != text:
        write_text(path, text)


def main() -> None:
    """Compose with the command line's overrides into the current project."""
    if not Path("dvc.yaml").is_file():
        raise UserError(f"no dvc.yaml in {Path.cwd()}: run this from the project's root")
    write_snapshot(Path.cwd(), sys.argv[1:])
    print(f"compose: {SNAPSHOT} is up to date", flush=True)


if __name__ == "__main__":
    sys.exit(guarded("compose", main))
