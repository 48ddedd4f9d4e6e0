"""Pascal VOC: ``JPEGImages/``, ``Annotations/*.xml`` and, where present, ``ImageSets/Main/{train,val,test}.txt``.

Corners are taken as written, with no shift, as COCO converters of such datasets do: VOC's own tools count pixels from
1 and include the last one, many later datasets (BCCD) do not say; the difference is one pixel. ``difficult``,
``truncated`` and ``occluded`` are kept (development kit of VOC 2012, annotation format).
"""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from netwright.artifacts.dataset import Record
from netwright.data.formats import voc_xml
from netwright.data.formats.folders import files_below, stem_of
from netwright.data.formats.label_text import quote, read_lines
from netwright.data.formats.labelled_files import LabelledFiles, Row, match_files, settle
from netwright.data.formats.picture_files import EXTENSIONS, inside, write_picture
from netwright.data.raw import RawDataset, RawLabels
from netwright.errors import UserError
from netwright.types import SPLITS

LABELS, PICTURES, SETS = Path("Annotations"), Path("JPEGImages"), Path("ImageSets/Main")
_XML = frozenset({".xml"})
_MARKS = {"-1", "0", "1"}  # lists of one class say after each name whether it is there


def detect(folder: Path) -> str:
    """Why ``folder`` is a Pascal VOC dataset, "" where it is not."""
    return f"it has {LABELS}/*.xml" if files_below(folder / LABELS, _XML, border=folder) else ""


def load(folder: Path) -> RawDataset:
    """Read the dataset in ``folder``: names and splits now, an annotation when its picture's labels are asked for.

    Raises UserError for a folder without annotations, for a split file that is no text, names one picture with
    another, or names a file outside, and for a link that leads out.
    """
    labels = files_below(folder / LABELS, _XML, border=folder)
    if not labels:
        raise UserError(f"no XML file in {folder / LABELS}: a Pascal VOC dataset keeps one for each picture there")
    pictures = files_below(folder / PICTURES, EXTENSIONS, border=folder)
    splits, notes = _splits(folder, {stem_of(file) for file in (*labels, *pictures)})
    rows, found = settle(_rows(folder, labels, pictures, splits))
    return RawDataset(
        format="voc",
        classes=(),
        pictures=LabelledFiles(folder, rows, _bind),
        count=len(rows),
        notes=(*notes, *found, "corners are taken as written, with no shift by a pixel"),
    )


def save(dataset: Iterable[Record], classes: Sequence[str], folder: Path) -> None:
    """Write VOC's folders; pictures unchanged, one at a time, and a list of names for each split.

    Numbers that are no integers keep their decimals; ``truncated`` and ``occluded`` become 0 or 1, and ``crowd``,
    for which VOC has no field, is lost. Raises UserError for a name that the lists or XML cannot hold.
    """
    voc_xml.check_texts(classes, "the class name")
    (folder / SETS).mkdir(parents=True, exist_ok=True)
    for record in dataset:
        voc_xml.check_texts([record.name], "the picture name")
        file_name = write_picture(folder / PICTURES, record.name, record.image)
        voc_xml.write(folder / LABELS / f"{inside(record.name, 'the dataset')}.xml", file_name, record, classes)
        with (folder / SETS / f"{record.split}.txt").open("a", encoding="utf-8") as names:
            names.write(f"{record.name}\n")


def _bind(label: Path, _picture: Path, shown: str) -> partial[RawLabels]:
    return partial(voc_xml.read, label, shown)


def _rows(folder: Path, labels: list[str], files: list[str], splits: Mapping[str, str]) -> list[Row]:
    pictures = {f"{PICTURES}/{file}": stem_of(file) for file in files}
    keyed = list(_keyed(folder, labels, frozenset(pictures.values())))
    own = {key: stem_of(path.partition("/")[2]) for key, path in keyed}
    matched = match_files(((key, path) for path, key in pictures.items()), keyed, lambda key: f"{PICTURES}/{key}.jpg")
    rows = [
        Row(name=key, picture=picture, label=label, split=splits.get(own.get(key, key), splits.get(key, "")))
        for key, picture, label in matched
    ]
    known = {row.name for row in rows}.union(own.values())
    gone = [name for name in splits if name not in known]  # listed, but neither labelled nor there
    return rows + [Row(name=name, picture=f"{PICTURES}/{name}.jpg", label="", split=splits[name]) for name in gone]


def _keyed(folder: Path, labels: list[str], pictures: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Each annotation and the picture's name: its own, or else the one that it states and no other annotation has."""
    stems = {stem_of(file) for file in labels}
    for file in labels:
        key = stem_of(file)
        if key not in pictures:
            stated = voc_xml.stated_name(folder / LABELS / file)
            key = stated if stated in pictures and stated not in stems else key
        yield key, f"{LABELS}/{file}"


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
