"""Checks of a stage's command line before Hydra composes anything, so that messages name keys and not Hydra's parts."""

from collections.abc import Mapping, Sequence

from netwright.errors import UserError
from stages._entry.snapshot import known_keys, suggestion
from stages.settings import Settings

_FREE = {"hydra", "runtime"}


def check_overrides(stage: str, overrides: Sequence[str], sections: Mapping[str, Sequence[str]]) -> None:
    """Raise UserError for an override of an unknown key, a whole section, or a section that ``stage`` does not read.

    ``sections`` gives for every stage the sections that dvc.yaml declares under ``params``.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser

    known = list(known_keys(Settings))
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        key = override.key_or_group
        section = key.split(".")[0].split("/")[0]
        if section not in _FREE:
            _check(stage, key, section, known, sections)


def _check(stage: str, key: str, section: str, known: list[str], sections: Mapping[str, Sequence[str]]) -> None:
    if key == section and (key in known or key == "experiment"):
        raise UserError(
            f"{key} names a group of conf/, and stages read params.yaml only: "
            f"use python -m pipelines.repro {key}=... , or override one value ({section}.<key>=...)"
        )
    if key not in known:
        raise UserError(f"unknown key {key}{suggestion(key, known)}")
    if section not in sections.get(stage, ()):
        readers = [name for name, declared in sections.items() if section in declared]
        raise UserError(f"{stage} does not read {section}, so {key} would change nothing here; read by: {', '.join(readers)}")
