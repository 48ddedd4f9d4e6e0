"""For each rule some of its offenders, chosen by name and bounded in number, shown with their pictures."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from netwright.data.conversion.examined import Offence
from netwright.data.report.page_boxes import Drawing, corners_text, draw_offences
from netwright.data.report.sampling import place_of
from netwright.data.report.thumbnails import BROKEN, Thumbnail

PICTURED = 8  # pictures shown of each rule
LISTED = 60  # pictures told of in all, of each rule
_OF_ONE_PICTURE = 12  # offences

ThumbnailOf = Callable[[str], Thumbnail]


@dataclass(frozen=True, kw_only=True)
class OffendingPicture:
    """A picture that offends: ``drawing`` is None where it is only told of."""

    name: str
    drawing: Drawing | None
    lines: list[str]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one rule found; ``more`` pictures are told of without being shown, ``untold`` offences not at all."""

    rule: str
    action: str
    meaning: str
    count: int
    pictured: list[OffendingPicture]
    more: list[OffendingPicture]
    untold: int


def lay_out_findings(
    rules: Mapping[str, Mapping[str, Any]], offences: Iterable[Offence], thumbnail_of: ThumbnailOf
) -> list[Finding]:
    """One pass over ``offences``; the rules that found something, in the order of the report's ``rules``."""
    found: dict[str, Offenders] = {}
    for offence in offences:
        found.setdefault(offence.rule, Offenders()).add(offence)
    return [
        _finding(rule, facts, found[rule], _broken if rule == "unreadable" else thumbnail_of)
        for rule, facts in rules.items()
        if rule in found
    ]


class Offenders:
    """A rule's offenders by picture name; ``count`` of all, shown or not."""

    def __init__(self) -> None:
        self.count = 0
        self._pictures: dict[str, list[Offence]] = {}
        self._last = ""  # of them, by place: the first to go

    def add(self, offence: Offence) -> None:
        """Count ``offence``, and keep it where its picture's name is among the lowest by hash."""
        self.count += 1
        name = offence.name
        if name not in self._pictures and not self._make_room(name):
            return
        kept = self._pictures.setdefault(name, [])
        kept.append(offence)
        if len(kept) > _OF_ONE_PICTURE:
            kept.sort(key=_order)
            kept.pop()

    def _make_room(self, name: str) -> bool:
        if len(self._pictures) < LISTED:
            self._last = max(self._last or name, name, key=place_of)
            return True
        if place_of(name) > place_of(self._last):
            return False
        del self._pictures[self._last]
        self._last = max([*self._pictures, name], key=place_of)
        return True

    def shown(self) -> list[tuple[str, list[Offence]]]:
        """The pictures to show, then those to tell of, each part by name."""
        by_place = sorted(self._pictures, key=place_of)
        order = sorted(by_place[:PICTURED]) + sorted(by_place[PICTURED:])
        return [(name, sorted(self._pictures[name], key=_order)) for name in order]


def _broken(_name: str) -> Thumbnail:
    """Of a picture that the checks refused: it may be made to take hours and all memory, so it is not tried again."""
    return BROKEN


def _finding(rule: str, facts: Mapping[str, Any], offenders: Offenders, thumbnail_of: ThumbnailOf) -> Finding:
    shown = offenders.shown()
    pictures = [
        OffendingPicture(
            name=name,
            drawing=draw_offences(offences, thumbnail_of(name)) if place < PICTURED else None,
            lines=[line for offence in offences if (line := _line(offence, facts["meaning"]))],
        )
        for place, (name, offences) in enumerate(shown)
    ]
    return Finding(
        rule=rule,
        action=facts["action"],
        meaning=facts["meaning"],
        count=offenders.count,
        pictured=pictures[:PICTURED],
        more=pictures[PICTURED:],
        untold=offenders.count - sum(len(offences) for _, offences in shown),
    )


def _line(offence: Offence, meaning: str) -> str:
    """The offending box and the reason, where it says more than the rule's meaning above the pictures."""
    what = " ".join(part for part in (offence.label or "", corners_text(offence.box)) if part)
    reason = offence.reason if offence.reason != meaning else ""
    return f"{what}: {reason}" if what and reason else what or reason


def _order(offence: Offence) -> tuple[str, str, str]:
    return offence.reason, offence.label or "", repr(offence.box)
