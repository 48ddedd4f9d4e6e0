"""Which pictures the contact sheet shows: those whose names hash lowest, of each split and of each class."""

from collections.abc import Sequence

from netwright.data.conversion.examined import Examined
from netwright.data.report.sampling import Lowest

SHEET = {"train": 16, "val": 8, "test": 8}  # pictures of each split on the contact sheet
_OF_EACH_CLASS = 2  # beside them, so that rare classes are seen
_CLASSES_SHOWN = 24


class ContactSheet:
    """Names of pictures, on a shelf for each split and each class."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._splits: dict[str, Lowest] = {split: Lowest(count) for split, count in SHEET.items()}
        self._classes: dict[str, Lowest] = {label: Lowest(_OF_EACH_CLASS) for label in classes[:_CLASSES_SHOWN]}

    def add(self, pictures: Sequence[Examined]) -> None:
        """Offer ``pictures``."""
        for picture in pictures:
            self._splits[picture.split].offer(picture.name)
            for label in set(picture.labels):
                if label in self._classes:
                    self._classes[label].offer(picture.name)

    def state(self) -> dict[str, dict[str, list[str]]]:
        """The names on each shelf, as JSON values."""
        shelves = {"splits": self._splits, "classes": self._classes}
        return {kind: {key: list(shelf) for key, shelf in kept.items()} for kind, kept in shelves.items()}

    def merge(self, state: dict[str, dict[str, list[str]]]) -> None:
        """Offer the names of another sheet of the same classes, of other pictures."""
        for kind, shelves in (("splits", self._splits), ("classes", self._classes)):
            for key, names in state[kind].items():
                for name in names:
                    shelves[key].offer(name)

    def names(self) -> set[str]:
        """The pictures chosen."""
        shelves = (*self._splits.values(), *self._classes.values())
        return {name for shelf in shelves for name in shelf}
