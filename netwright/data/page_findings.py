"""For each rule some of its offenders, chosen by name and bounded in number, to be shown with their pictures."""

from collections.abc import Iterable

from netwright.data.examined import Offence
from netwright.data.sampling import place_of

PICTURED = 8  # pictures shown of each rule
LISTED = 60  # pictures told of in all, of each rule
_OF_ONE_PICTURE = 12  # offences


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


def gather_offenders(offences: Iterable[Offence]) -> dict[str, Offenders]:
    """One pass over ``offences``: rule to offenders."""
    found: dict[str, Offenders] = {}
    for offence in offences:
        found.setdefault(offence.rule, Offenders()).add(offence)
    return found


def _order(offence: Offence) -> tuple[str, str, str]:
    return offence.reason, offence.label or "", repr(offence.box)
