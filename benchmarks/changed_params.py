"""A project's params.yaml with single values changed, as the typed sections that the stages get."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from netwright.errors import UserError
from stages._entry.app import validated
from stages.settings import Settings


def read_params(project: Path) -> dict[str, Any]:
    """The snapshot as plain values. Raises UserError where it is missing."""
    try:
        values: dict[str, Any] = yaml.safe_load((project / "params.yaml").read_text("utf-8"))
    except FileNotFoundError:
        raise UserError(f"no params.yaml in {project}: carry it there, or python -m pipelines.compose") from None
    return values


def changed_settings(params: Mapping[str, Any], changes: Mapping[str, Any]) -> Settings:
    """``params`` with ``changes`` (section.key: value). Raises UserError for an unknown key or a bad value."""
    values = copy.deepcopy(dict(params))
    for key, value in changes.items():
        *path, last = key.split(".")
        place = values
        for part in path:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise UserError(f"{key} cannot be set: {part} is a value and holds no others")
        place[last] = value
    return validated(values)


def parsed_changes(words: Sequence[str]) -> dict[str, Any]:
    """``section.key=value`` words, values in YAML. Raises UserError for a word of another form."""
    changes = {}
    for word in words:
        key, sign, text = word.partition("=")
        if not sign or "." not in key:
            raise UserError(f"cannot read the change {word!r}: write section.key=value")
        changes[key] = yaml.safe_load(text)
    return changes
