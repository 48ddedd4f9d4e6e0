"""A project's params.yaml with single values changed, as the typed sections that the stages get."""

import copy
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from netwright.errors import UserError
from stages._entry.app import validated
from stages.settings import Settings


class _Loader(yaml.SafeLoader):
    """YAML in which 1e-3 is a number, as it is for Hydra, which the stages read with."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def read_params(project: Path) -> dict[str, Any]:
    """The snapshot as plain values. Raises UserError where it is missing or holds none."""
    path = project / "params.yaml"
    try:
        values = parsed_yaml(path.read_text("utf-8"))
    except FileNotFoundError:
        raise UserError(f"no params.yaml in {project}: carry it there, or python -m pipelines.compose") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path} is damaged ({error}): carry it anew, or python -m pipelines.compose") from None
    if not isinstance(values, dict):
        raise UserError(f"{path} holds no sections: carry it anew, or python -m pipelines.compose")
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
        try:
            changes[key] = parsed_yaml(text)
        except yaml.YAMLError:
            raise UserError(f"cannot read the change {word!r}: {text!r} is no YAML") from None
    return changes


def refuse_owned(keys: Iterable[str], owners: Mapping[str, str], *, option: str = "--set") -> None:
    """Raise UserError for one of ``keys`` that another option sets: one of both would win in silence.

    ``owners`` maps keys to their options.
    """
    for key in keys:
        if owner := owners.get(key):
            raise UserError(f"{option} {key} is what {owner} sets here: give {owner} alone")


def parsed_yaml(text: str) -> Any:
    """The value that ``text`` writes. Raises yaml.YAMLError."""
    return _Loader(text).get_single_data()
