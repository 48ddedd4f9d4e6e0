"""What a conversion found and kept, as ``report.json``."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netwright.data.examined import Offence
from netwright.data.survey import Survey

if TYPE_CHECKING:
    from netwright.data.audit import DuplicatePair


@dataclass(frozen=True, kw_only=True)
class About:
    """What a conversion knows beside its pictures.

    ``rules`` maps every rule to its action in force and its meaning, in the order to show them. ``mapping`` has
    (class in the source, class here or None where dropped, boxes) for every source class. ``split_origin`` says in a
    line where the splits come from, ``group_origin`` what was held together ("" for nothing); ``duplicates`` are
    pictures that lie in two splits, ``leakage`` (warn, fail) what was to be done about them.
    """

    name: str
    format: str
    notes: tuple[str, ...]
    classes: tuple[str, ...]
    fingerprint: str
    rules: Mapping[str, tuple[str, str]]
    split_origin: str
    group_origin: str = ""
    leakage: str = "warn"
    mapping: Sequence[tuple[str, str | None, int]] = ()
    duplicates: "Sequence[DuplicatePair]" = ()


def make_report(about: About, survey: Survey, offences: Iterable[Offence]) -> dict[str, Any]:
    """Everything of report.json but ``offenders``, which ``write_report`` adds; JSON values only."""
    raise NotImplementedError


def write_report(path: Path, report: Mapping[str, Any], offences: Iterable[Offence]) -> None:
    """Write ``report`` (see make_report) whole to ``path`` with every one of ``offences``, one at a time."""
    raise NotImplementedError
