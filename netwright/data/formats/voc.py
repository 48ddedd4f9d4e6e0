"""Pascal VOC: ``JPEGImages/``, ``Annotations/*.xml`` and, where present, ``ImageSets/Main/{train,val,test}.txt``.

Read too, as others write it: ``images/`` beside ``annotations/``, and annotations right beside their pictures, with
or without folders called train, val, test (LabelImg, Roboflow).

Corners are taken as written, with no shift, as COCO converters of such datasets do: VOC's own tools count pixels from
1 and include the last one, many later datasets (BCCD) do not say; the difference is one pixel. ``difficult``,
``truncated`` and ``occluded`` are kept (development kit of VOC 2012, annotation format).
"""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from netwright.artifacts.dataset import Record
from netwright.data.conversion.raw import RawDataset, RawLabels
from netwright.data.formats import voc_xml
from netwright.data.formats.folders import files_below, stem_of, subfolders
from netwright.data.formats.label_text import quote, read_lines
from netwright.data.formats.labelled_files import LabelledFiles, Row, match_files, settle, split_of
from netwright.data.formats.picture_files import EXTENSIONS, inside, write_picture
from netwright.errors import UserError
from netwright.types import SPLITS

LABELS, PICTURES, SETS = Path("Annotations"), Path("JPEGImages"), Path("ImageSets/Main")
_PICTURES = ("jpegimages", "images", "image", "imgs")
_XML = frozenset({".xml"})
_LOOKS = 5  # XML files that detection opens
_MARKS = {"-1", "0", "1"}  # lists of one class say after each name whether it is there


class _Place(NamedTuple):
    """Folders of the annotations and the pictures inside the dataset: each "" or ending in "/"."""

    labels: str
    pictures: str


def detect(folder: Path) -> str:
    """Why ``folder`` is a Pascal VOC dataset, "" where it is not."""
    place = _place(folder)
    return f"it has {place.labels}*.xml of annotations" if place else ""


def load(folder: Path) -> RawDataset:
    """Read the dataset in ``folder``: names and splits now, an annotation when its picture's labels are asked for.

    Raises UserError for a folder without annotations, for a split file that is no text, names one picture with
    another, or names a file outside, and for a link that leads out.
    """
    place = _place(folder)
    if place is None:
        raise UserError(f"no XML file in {folder / LABELS}: a Pascal VOC dataset keeps one for each picture there")
    labels = files_below(folder / place.labels, _XML, border=folder)
    pictures = files_below(folder / place.pictures, EXTENSIONS, border=folder)
    splits, notes = _splits(folder, {stem_of(file) for file in (*labels, *pictures)})
    rows = list(_rows(folder, place, labels, pictures, splits))
    rows, found = settle(rows if splits else [_by_folder(row) for row in rows])
    return RawDataset(
        format="voc",
        classes=(),
        pictures=LabelledFiles(folder, rows, _bind),
        count=len(rows),
        notes=(*notes, *found, "corners are taken as written, with no shift by a pixel"),
    )


def pictures_in(_split: str) -> str:
    """The folder of a split's pictures in what ``save`` writes."""
    return str(PICTURES)


def save(dataset: Iterable[Record], classes: Sequence[str], folder: Path) -> None:
    """Write VOC's folders; pictures unchanged, one at a time, and a list of names for each split.

    Numbers that are no integers keep their decimals; ``truncated`` and ``occluded`` become 0 or 1, and ``crowd``,
    for which VOC has no field, is lost. Raises UserError for a name that the lists or XML cannot hold.
    """
    check_classes(classes)
    (folder / SETS).mkdir(parents=True, exist_ok=True)
    for record in dataset:
        voc_xml.check_texts([record.name], "the picture name")
        file_name = write_picture(folder / PICTURES, record)
        voc_xml.write(folder / LABELS / f"{inside(record.name, 'the dataset')}.xml", file_name, record, classes)
        with (folder / SETS / f"{record.split}.txt").open("a", encoding="utf-8") as names:
            names.write(f"{record.name}\n")


def check_classes(classes: Sequence[str]) -> None:
    """Raise UserError for a class name that XML cannot hold."""
    voc_xml.check_texts(classes, "the class name")


def _bind(label: str, _picture: Path, shown: str) -> partial[RawLabels]:
    return partial(voc_xml.read, Path(label), shown)


def _place(folder: Path) -> _Place | None:
    names = {name.lower(): name for name in reversed(subfolders(folder, border=folder))} if folder.is_dir() else {}
    if (labels := names.get("annotations")) and files_below(folder / labels, _XML, border=folder):
        pictures = next((names[name] for name in _PICTURES if name in names), str(PICTURES))
        return _Place(f"{labels}/", f"{pictures}/")
    beside = files_below(folder, _XML, border=folder)
    return _Place("", "") if any(voc_xml.is_annotation(folder / file) for file in beside[:_LOOKS]) else None


def _rows(folder: Path, place: _Place, labels: list[str], files: list[str], splits: Mapping[str, str]) -> Iterator[Row]:
    pictures = [(stem_of(file), place.pictures + file) for file in files]
    keyed = dict(zip(labels, _keys(folder / place.labels, labels, pictures), strict=True))
    own = {key: stem_of(file) for file, key in keyed.items()}
    matched = match_files(
        pictures,
        ((key, place.labels + file) for file, key in keyed.items()),
        lambda key: f"{place.pictures}{key}.jpg",
    )
    known = set(own.values())
    for key, picture, label in matched:
        known.add(key)
        split = splits.get(own.get(key, key), splits.get(key, ""))
        yield Row(name=key, picture=picture, label=label, split=split)
    for name in (name for name in splits if name not in known):  # listed, but neither labelled nor there
        yield Row(name=name, picture=f"{place.pictures}{name}.jpg", label="", split=splits[name])


def _keys(folder: Path, labels: list[str], pictures: list[tuple[str, str]]) -> Iterator[str]:
    """The name of each annotation's picture: its own, or else the one that it states and no other annotation has."""
    there = {key for key, _ in pictures} - {stem_of(file) for file in labels}
    present = {key for key, _ in pictures}
    for file in labels:
        key = stem_of(file)
        if key not in present:
            stated = voc_xml.stated_name(folder / file)
            beside = (PurePosixPath(key).parent / stated).as_posix()
            key = next((name for name in (beside, stated) if name in there), key)
            there.discard(key)
        yield key


def _by_folder(row: Row) -> Row:
    """``row`` with the split that its first folder is called by, where it is."""
    first, _, rest = row.name.partition("/")
    return row._replace(name=rest, split=split_of(first)) if rest and split_of(first) else row


def _splits(folder: Path, known: set[str]) -> tuple[dict[str, str], list[str]]:
    """Map each listed name to its split, and say which lists were used; ``known`` names may have blanks."""
    present = {split: folder / SETS / f"{split}.txt" for split in (*SPLITS, "trainval")}
    present = {split: path for split, path in present.items() if path.is_file()}
    if "train" in present or "trainval" not in present:
        present.pop("trainval", None)
    splits: dict[str, str] = {}
    for listed, path in present.items():
        for name in _names(path, f"{SETS}/{path.name}", known):
            split = splits.get(name, "train") if listed == "trainval" else listed  # trainval repeats val
            if splits.setdefault(name, split) != split:
                raise UserError(
                    f"{quote(name)} is in both {splits[name]}.txt and {split}.txt of {SETS}: keep it in one"
                )
    notes = [f"split files of {SETS}: {', '.join(path.stem for path in present.values())}"] if present else []
    return splits, notes


def _names(path: Path, shown: str, known: set[str]) -> Iterator[str]:
    for number, line in read_lines(path, shown):
        name = unicodedata.normalize("NFC", inside(line, f"{shown}, line {number},"))
        words = name.split()
        yield words[0] if name not in known and len(words) == 2 and words[1] in _MARKS else name
