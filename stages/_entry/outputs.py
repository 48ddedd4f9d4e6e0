"""A folder that cannot be written to is noticed before the work and not after it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from netwright.errors import UserError

_KINDS = ("outs", "metrics", "plots")


def check_outputs(block: Mapping[str, Any], folder: Path) -> None:
    """Raise UserError for an output of ``block``, a stage of dvc.yaml, that cannot be made below ``folder``.

    DVC's own form is taken: a path, or a mapping from the path to its settings.
    """
    for entry in [entry for kind in _KINDS for entry in block.get(kind, [])]:
        path = Path(entry if isinstance(entry, str) else next(iter(entry)))
        place = _nearest(folder / path if (folder / path).is_dir() else (folder / path).parent)
        if not place.is_dir():
            raise UserError(f"cannot write {path}: {_shown(place, folder)} is no folder; move it away")
        if not os.access(place, os.W_OK | os.X_OK):
            raise UserError(f"cannot write {path}: the folder {_shown(place, folder)} is read-only; make it writable")


def _nearest(path: Path) -> Path:
    """The deepest part of ``path`` that exists."""
    return path if path.exists() or path == path.parent else _nearest(path.parent)


def _shown(place: Path, folder: Path) -> Path:
    return place.relative_to(folder) if place != folder and place.is_relative_to(folder) else place
