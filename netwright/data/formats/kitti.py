"""KITTI, in the folders of the benchmark and of TAO: ``image_2/`` and ``label_2/``, or ``images/`` and ``labels/``.

Both may lie in subfolders (``training/``, ``train/``, ``val/``), or have them (``images/train/``). A line is one
object in 15 fields: type, truncated, occluded, alpha, left, top, right, bottom (pixels from 0), 7 of 3D; results
have the score as a 16th (KITTI object development kit, readme.txt). Class names are taken as written (TAO puts them
into lower case), corners too, and box, truncation and occlusion are kept, the rest is not.

``DontCare`` marks a region with objects that nobody labelled: no object of a class of its own, as TAO and other
readers make of it. It is read as a crowd, so that the rule for crowds decides (by default it is dropped and counted).
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from netwright.artifacts.dataset import Record
from netwright.data.conversion.raw import RawDataset, RawLabels
from netwright.data.formats.folders import files_below, refuse_outside, stem_of, subfolders
from netwright.data.formats.kitti_columns import read_columns
from netwright.data.formats.kitti_groups import read_groups
from netwright.data.formats.kitti_labels import looks_like, read_labels
from netwright.data.formats.label_text import quote, read_lines, write_lines
from netwright.data.formats.labelled_files import LABEL, LabelledFiles, Row, match_files, settle, split_of
from netwright.data.formats.picture_files import EXTENSIONS, inside, write_picture
from netwright.errors import UserError
from netwright.types import SPLITS

LOOKED_FOR = "images/ or image_2/ beside labels/ or label_2/ with *.txt of 15 fields"
_PICTURES, _LABELS = ("image_2", "images", "image"), ("label_2", "labels", "label")
_SETS = "ImageSets"
_UNKNOWN_3D = "-1 -1 -1 -1000 -1000 -1000 -10"  # as the development kit writes what is not known
_NOTE = "box, truncation and occlusion are kept; alpha, the 3D fields and a score (16th field) are not"
_DONT_CARE_NOTE = "DontCare regions are read as crowds: the rule crowd decides"
_LOOKS = 50  # label files that detection may open to find a line


class _Place(NamedTuple):
    """A folder with pictures and labels: its path inside the dataset ("" for the dataset itself) and theirs."""

    prefix: str
    pictures: str
    labels: str


def detect(folder: Path) -> str:
    """Return why ``folder`` is KITTI's, or "" where it is not."""
    for place in _places(folder):
        for label in files_below(folder / place.labels, LABEL, border=folder)[:_LOOKS]:
            for _, line in read_lines(folder / place.labels / label, label):
                if looks_like(line):
                    return f"{place.pictures}/ lies beside {place.labels}/, and {label} there has lines of 15 fields"
                return ""
    return ""


def load(folder: Path) -> RawDataset:
    """Read the dataset in ``folder``: its splits are folders (train, val...) or ``ImageSets/{train,val,test}.txt``.

    Groups are TAO's sequences or the benchmark's drives (see kitti_groups), where those files are there. Raises
    UserError where there are no labels, a split file lists a picture without label, or a link leads out.
    """
    places = _places(folder)
    if not places:
        raise UserError(f"{folder} is no KITTI dataset: looked for {LOOKED_FOR}, there or one folder below")
    rows = [row for place in places for row in _rows(folder, place)]
    if not any(row.label for row in rows):
        raise UserError(
            f"no *.txt in {' or '.join(place.labels for place in places)} of {folder}: put the labels there"
        )
    groups = read_groups(folder)
    rows = _listed(folder, rows)
    rows, notes = settle([row._replace(group=groups.get(row.name, "")) for row in rows] if groups else rows)
    pictures = LabelledFiles(folder, rows, _bind, together=read_columns)
    if unlabelled := _unlabelled(folder, places):
        notes.append(f"{', '.join(unlabelled)}: pictures without a folder of labels beside them are left out")
    notes += [_NOTE, _DONT_CARE_NOTE]
    return RawDataset(format="kitti", classes=(), pictures=pictures, count=len(rows), notes=tuple(notes))


def pictures_in(split: str) -> str:
    """The folder of a split's pictures in what ``save`` writes."""
    return f"{split}/image_2"


def save(dataset: Iterable[Record], classes: Sequence[str], folder: Path) -> None:
    """Write ``<split>/image_2/`` and ``<split>/label_2/``: 15 fields a line, those of 3D unknown, pictures unchanged.

    A crowd is written as DontCare, without its class; ``difficult`` and the group are lost. Raises UserError for a
    class whose name has a space, which separates the fields.
    """
    check_classes(classes)
    for record in dataset:
        write_picture(folder / pictures_in(record.split), record)
        label = folder / record.split / "label_2" / (inside(record.name, "the dataset") + ".txt")
        write_lines(_lines(record, classes), label)


def check_classes(classes: Sequence[str]) -> None:
    """Raise UserError for a class whose name has a space, or is empty."""
    if wrong := next((name for name in classes if len(name.split()) != 1), None):
        raise UserError(
            f"KITTI cannot hold the class name {wrong!r}, it has a space: rename it by dataset.class_mapping"
        )


def _bind(label: str, _picture: Path, shown: str) -> partial[RawLabels]:
    return partial(read_labels, label, shown)


def _places(folder: Path) -> list[_Place]:
    """Where pictures and labels lie side by side: in ``folder``, or else in the folders right below it."""
    names = subfolders(folder, border=folder)
    places = [_place(folder, prefix) for prefix in ("", *names)]
    return [place for place in places[:1] if place] or [place for place in places if place]


def _place(folder: Path, prefix: str) -> _Place | None:
    names = subfolders(folder / prefix, border=folder)
    pictures = [name for wanted in _PICTURES for name in names if name.lower() == wanted]
    labels = [name for wanted in _LABELS for name in names if name.lower() == wanted]
    inner = f"{prefix}/" if prefix else ""
    return _Place(prefix, inner + pictures[0], inner + labels[0]) if pictures and labels else None


def _unlabelled(folder: Path, places: list[_Place]) -> list[str]:
    """Folders like the benchmark's ``testing/``, which has pictures alone."""
    if not places[0].prefix:
        return []
    names = set(subfolders(folder, border=folder)) - {place.prefix for place in places}
    return [name for name in sorted(names) if (folder / name / _PICTURES[0]).is_dir()]


def _rows(folder: Path, place: _Place) -> Iterator[Row]:
    def keyed(inner: str, extensions: frozenset[str]) -> list[tuple[str, str]]:
        files = files_below(folder / inner, extensions, border=folder)
        return [(stem_of(file), f"{inner}/{file}") for file in files]

    matched = match_files(
        keyed(place.pictures, EXTENSIONS), keyed(place.labels, LABEL), lambda key: f"{place.pictures}/{key}.jpg"
    )
    own = split_of(place.prefix)
    prefix = "" if own or not place.prefix else f"{place.prefix}/"
    for key, picture, label in matched:
        first, _, rest = key.partition("/")
        inner = split_of(first) if rest else ""
        name = rest if inner and not own else key
        yield Row(name=prefix + name, picture=picture, label=label, split=own or inner)


def _listed(folder: Path, rows: list[Row]) -> list[Row]:
    """``rows`` with the splits of ImageSets, where it is there and no folder says otherwise."""
    lists = {split: folder / _SETS / f"{split}.txt" for split in SPLITS}
    if any(row.split in ("val", "test") for row in rows) or not lists["train"].is_file():
        return rows
    labelled = {row.name for row in rows if row.label}
    splits: dict[str, str] = {}
    for split, path in lists.items():
        # the benchmark's own test.txt lists testing/, which has no labels and numbers its pictures from 0 again
        if not path.is_file() or (split == "test" and (folder / "testing").is_dir()):
            continue
        refuse_outside(path, folder)
        for _, line in read_lines(path, f"{_SETS}/{split}.txt"):
            name = line if line in labelled else stem_of(line)
            if name not in labelled:
                raise UserError(f"{_SETS}/{split}.txt lists {quote(line)}, which has no label: add it or unlist it")
            if splits.setdefault(name, split) != split:
                raise UserError(f"{quote(line)} is in {splits[name]}.txt and {split}.txt of {_SETS}: keep it in one")
    return [row._replace(split=splits.get(row.name, "")) for row in rows]


def _lines(record: Record, classes: Sequence[str]) -> Iterator[str]:
    for index, corners in enumerate(record.boxes):
        label = "DontCare" if record.crowd[index] else classes[record.labels[index]]
        box = " ".join(str(corner) for corner in corners)  # float32's shortest text that reads back the same
        yield f"{label} {record.truncated[index]!s} {record.occluded[index]} -10 {box} {_UNKNOWN_3D}"
