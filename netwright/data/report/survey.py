"""What there is among the kept pictures: counts, histograms with fixed bins, and a few pictures to show.

A survey is taken a shard at a time and merged, so that an unchanged shard is not looked at again. What is remembered
grows with the number of classes, groups and picture sizes, not with the number of pictures. All sums are of whole
numbers and all choices by a hash of the name, so that neither order nor division of the pictures changes anything.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from netwright.data.conversion.examined import Examined
from netwright.data.report.contact_sheet import ContactSheet
from netwright.data.report.counts import Counts
from netwright.data.report.shapes import Shapes
from netwright.types import SPLITS

_PIECE = 512  # pictures whose boxes are counted in one go


@dataclass(frozen=True, kw_only=True)
class Survey:
    """``facts`` are JSON values (see dataset_report.schema.json); ``sample`` are the contact sheet's pictures."""

    facts: dict[str, Any]
    sample: tuple[Examined, ...]


class Tally:
    """What is counted of some pictures: kept ones, in any order, each with its final split and mapped labels."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = classes
        self._counts, self._shapes, self._sheet = Counts(), Shapes(), ContactSheet(classes)
        self._waiting: list[Examined] = []

    def add(self, picture: Examined) -> None:
        """Count a picture."""
        self._waiting.append(picture)
        if len(self._waiting) == _PIECE:
            self._count()

    def state(self) -> dict[str, Any]:
        """All that was counted, as JSON values."""
        self._count()
        return {"counts": self._counts.state(), "shapes": self._shapes.state(), "sheet": self._sheet.state()}

    def merge(self, state: dict[str, Any]) -> None:
        """Add what another tally of the same classes has counted, of other pictures."""
        self._counts.merge(state["counts"])
        self._shapes.merge(state["shapes"])
        self._sheet.merge(state["sheet"])

    def survey(self, picture_of: Callable[[str], Examined]) -> Survey:
        """The whole; ``picture_of`` gives the picture of a name."""
        self._count()
        chosen = map(picture_of, self._sheet.names())
        sample = sorted(chosen, key=lambda picture: (SPLITS.index(picture.split), picture.name))
        return Survey(facts=self._counts.facts(self._classes) | self._shapes.facts(), sample=tuple(sample))

    def _count(self) -> None:
        if self._waiting:
            for part in (self._counts, self._shapes, self._sheet):
                part.add(self._waiting)
            self._waiting = []
