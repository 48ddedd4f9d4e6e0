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
    known = list(known_keys(Settings))
    for key in override_keys(overrides):
        section = key.split(".")[0].split("/")[0]
        if section not in _FREE:
            _check(stage, key, section, known, sections)


def override_keys(overrides: Sequence[str]) -> list[str]:
    """Return what each override (Hydra's grammar) would change. Raises UserError for one that cannot be read."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import OverrideParseException

    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    except OverrideParseException as error:
        raise UserError(f"cannot read the override {error.override!r}: write section.key=value") from None
    return [override.key_or_group for override in parsed]


def _check(stage: str, key: str, section: str, known: list[str], sections: Mapping[str, Sequence[str]]) -> None:
    if key == section and key in [*known, "experiment"]:
        raise UserError(
            f"{key} names a group of conf/, and stages read params.yaml only: use python -m pipelines.repro {key}=... "
            f"or override a single value (section.key=value)"
        )
    if key not in known:
        values = [name for name in known if "." in name]
        raise UserError(f"unknown key {key}{suggestion(key, values)}; sections: {', '.join(section_names())}")
    if section not in sections.get(stage, ()):
        readers = [name for name, declared in sections.items() if section in declared]
        raise UserError(
            f"{stage} does not read {section}: {key} would change nothing here; read by {', '.join(readers)}"
        )


def section_names() -> list[str]:
    """Return the sections of params.yaml."""
    return [name for name in known_keys(Settings) if "." not in name]
