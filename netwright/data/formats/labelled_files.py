"""Pictures with a label file each, KITTI's and YOLO's way: which belong together, their names and splits."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from netwright.data.conversion.raw import RawLabels, RawPicture
from netwright.data.formats.box_columns import BoxColumns, columns_of
from netwright.data.formats.folders import state_of
from netwright.types import SPLITS

LABEL = frozenset({".txt"})
_SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_SPLIT = re.compile(r"(?:obj_)?(train|val|valid|validation|test)(?:ing|_data|_?\d{4})?", re.IGNORECASE)

Bind = Callable[[str, Path, str], Callable[[], RawLabels]]
ReadColumns = Callable[[Sequence[str]], BoxColumns | None]


class Row(NamedTuple):
    """Paths of a picture and its label inside the dataset; ``label`` is "" where there is none."""

    name: str
    picture: str
    label: str
    split: str = ""
    group: str = ""


class LabelledFiles(Iterable[RawPicture]):
    """Makes a raw picture of each row, anew on each iteration, and opens none of their files.

    ``bind`` (label file, picture file, the label's path inside the dataset) gives what reads the label; ``settings``
    is text that all labels depend on. ``together`` is given many label files ("": none) and reads them at once; where
    it gives None they are read one by one.
    """

    def __init__(
        self,
        folder: Path,
        rows: Iterable[Row],
        bind: Bind,
        *,
        settings: str = "",
        together: ReadColumns | None = None,
    ) -> None:
        self.folder, self.rows, self.bind, self.settings, self.together = folder, tuple(rows), bind, settings, together

    def parts(self, size: int) -> Iterator["LabelledFiles"]:
        """Yield the rows ``size`` at a time: rows are handed to another process sooner than pictures are."""
        for start in range(0, len(self.rows), size):
            rows = self.rows[start : start + size]
            yield LabelledFiles(self.folder, rows, self.bind, settings=self.settings, together=self.together)

    def columns(self) -> BoxColumns:
        """The boxes of every row, in its order, read now."""
        labels = [f"{self.folder}/{row.label}" if row.label else "" for row in self.rows]
        found = self.together(labels) if self.together else None
        return found or columns_of([raw.labels().boxes if raw.labels else () for raw in self])

    def state_of(self, row: Row) -> str:
        """Text that changes whenever the labels of ``row`` do."""
        return state_of(f"{self.folder}/{row.label}") + self.settings if row.label else "no label"

    def picture(self, row: Row) -> RawPicture:
        """The raw picture of ``row``."""
        picture = Path(f"{self.folder}/{row.picture}")
        return RawPicture(
            name=row.name,
            content=picture,
            labels=self.bind(f"{self.folder}/{row.label}", picture, row.label) if row.label else None,
            state=self.state_of(row),
            source=row.label or row.picture,
            split=row.split,
            group=row.group,
        )

    def __iter__(self) -> Iterator[RawPicture]:
        return map(self.picture, self.rows)


def split_of(folder: str) -> str:
    """The split that a folder called so holds: train, training, train2017, valid, obj_Test_data...; "" for none."""
    match = _SPLIT.fullmatch(folder)
    return _SPLITS[match[1].lower()] if match else ""


def match_files(
    pictures: Iterable[tuple[str, str]], labels: Iterable[tuple[str, str]], missing: Callable[[str], str]
) -> Iterator[tuple[str, str, str]]:
    """Yield (key, picture, label) for (key, path) pairs of either kind, sorted by key and picture.

    A picture without label has "" there; a label without picture the path ``missing(key)``, where no file lies.
    """
    unused = dict(labels)
    by_key = sorted(pictures)
    found = [(key, picture, unused.get(key, "")) for key, picture in by_key]
    for key, _ in by_key:
        unused.pop(key, None)
    yield from sorted(found + [(key, missing(key), label) for key, label in unused.items()])


def settle(rows: list[Row]) -> tuple[list[Row], list[str]]:
    """Decide what the splits found are worth, and make names unique; return the rows by name, and notes.

    Two splits or more are the dataset's own: pictures outside them are left out. One alone divides nothing and is
    dropped. A split without any label is left out. Where two splits use one name, all names begin with the split.
    """
    rows, notes = _without_unlabelled(rows)
    found = [split for split in SPLITS if any(row.split == split for row in rows)]
    if len(found) == 1:
        notes.append(f"only {found[0]} is there, no other split: all pictures are divided anew")
    if len(found) < 2:
        return sorted((row._replace(split="") if row.split else row for row in rows), key=_by_name), notes
    kept = [row for row in rows if row.split]
    notes.append(f"the dataset's own splits are used: {', '.join(found)}")
    if len(kept) < len(rows):
        notes.append(f"{len(rows) - len(kept)} pictures are in none of the splits and left out")
    if len({row.name for row in kept}) < len({(row.name, row.split) for row in kept}):
        notes.append("splits use the same names: each name begins with its split")
        kept = [row._replace(name=f"{row.split}/{row.name}") for row in kept]
    return sorted(kept, key=_by_name), notes


def _by_name(row: Row) -> tuple[str, str]:
    return row.name, row.picture


def _without_unlabelled(rows: list[Row]) -> tuple[list[Row], list[str]]:
    pictures, labels = Counter(row.split for row in rows), Counter(row.split for row in rows if row.label)
    unlabelled = [split for split in SPLITS if pictures[split] and not labels[split]]
    notes = [f"{split}: its {pictures[split]} pictures have no label at all and are left out" for split in unlabelled]
    return [row for row in rows if row.split not in unlabelled], notes
