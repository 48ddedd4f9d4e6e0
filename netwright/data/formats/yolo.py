"""YOLO, as Ultralytics, Roboflow, Darknet and LabelImg lay it out: a text file of boxes for each picture.

The label of ``images/train/a.jpg`` is ``labels/train/a.txt`` (the last folder called "images" becomes "labels"), or
lies beside its picture. A line is a class number and either a box (centre x, centre y, width, height), with a score
that is passed over, a polygon (x y x y x y ...), around which the box is drawn, or a box and its keypoints, where
``kpt_shape`` of data.yaml says so. All are shares of the upright picture's size (Ultralytics, "Object detection
datasets overview"). The size is read from the picture's header, when the label is.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

import yaml

from netwright.artifacts.dataset import Record
from netwright.data.conversion.raw import RawDataset, RawLabels
from netwright.data.formats.folders import files_below, refuse_outside, stem_of
from netwright.data.formats.label_text import read_lines, write_lines
from netwright.data.formats.labelled_files import LABEL, LabelledFiles, Row, match_files, settle, split_of
from netwright.data.formats.picture_files import EXTENSIONS, inside, write_picture
from netwright.data.formats.yolo_labels import is_box_line, read_labels
from netwright.data.formats.yolo_settings import Settings, read_settings, settings_file
from netwright.errors import UserError
from netwright.types import SPLITS

LOOKED_FOR = "data.yaml with names, or labels/*.txt of a class number and 4 shares"
_LOOKS = 50  # label files that detection may open to find a line
_HERE = "\0"  # stands for the folder "images" of a picture and "labels" of its label, so that the two are equal
_NO_LABELS = {"classes.txt"}


def detect(folder: Path) -> str:
    """Return why ``folder`` is YOLO's, or "" where it is not."""
    if reason := _settings_reason(folder):
        return reason
    for inner in ("labels", "train/labels", "obj_train_data", "."):
        for label in files_below(folder / inner, LABEL, border=folder)[:_LOOKS]:
            for _, line in read_lines(folder / inner / label, label):
                if is_box_line(line):
                    return f"{inner}/{label} has lines of a class number and shares of the picture's size"
                break
    return ""


def load(folder: Path) -> RawDataset:
    """Read the dataset in ``folder``: its splits are data.yaml's, or folders called train, val, test or alike.

    Raises UserError for settings that are broken or lead out, a picture that is in two splits, and where there are
    no labels.
    """
    settings = read_settings(folder)
    rows = list(_rows(folder, settings))
    if not any(row.label for row in rows):
        raise UserError(f"{folder} has no label file for a picture: looked for {LOOKED_FOR}")
    _refuse_two_splits(rows, settings.file)
    rows, notes = settle(rows)
    notes = [*settings.notes, *notes, *_notes(rows, settings.names)]
    pictures = LabelledFiles(folder, rows, partial(_bind, settings), settings=_state_of(settings))
    classes = tuple(dict.fromkeys(settings.names))
    return RawDataset(format="yolo", classes=classes, pictures=pictures, count=len(rows), notes=tuple(notes))


def pictures_in(split: str) -> str:
    """The folder of a split's pictures in what ``save`` writes."""
    return f"images/{split}"


def save(dataset: Iterable[Record], classes: Sequence[str], folder: Path) -> None:
    """Write ``images/<split>/``, ``labels/<split>/`` and, last, ``data.yaml``: boxes to 12 digits, pictures unchanged.

    YOLO holds boxes and classes alone; a crowd becomes a box like any other.
    """
    splits = set()
    for record in dataset:
        splits.add(record.split)
        name = write_picture(folder / pictures_in(record.split), record)
        write_lines(_lines(record), folder / _label_of(PurePosixPath("images", record.split, name)))
    entries = {split: f"images/{split}" for split in SPLITS if split in splits}
    value = (entries or {"train": "images", "val": "images"}) | {"names": dict(enumerate(classes))}
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
    (folder / "data.yaml").write_text(text, "utf-8", newline="\n")


def _settings_reason(folder: Path) -> str:
    """What data.yaml says; "" where it is missing or broken: then the labels decide, and load tells what is wrong."""
    try:
        path = settings_file(folder)
        return f"{path.name} names {len(read_settings(folder).names)} classes" if path else ""
    except UserError:
        return ""


def _bind(settings: Settings, label: str, picture: Path, shown: str) -> partial[RawLabels]:
    return partial(read_labels, label, picture, shown, names=settings.names, keypoints=settings.keypoints)


def _state_of(settings: Settings) -> str:
    return ":" + hashlib.sha256(repr((settings.names, settings.keypoints)).encode("utf-8")).hexdigest()[:16]


def _notes(rows: list[Row], names: tuple[str, ...]) -> Iterator[str]:
    if missing := sum(not row.label for row in rows):
        yield f"{missing} pictures have no label file: Ultralytics takes them as without objects, here rules decide"
    if twice := sorted({name for name in names if names.count(name) > 1}):
        yield f"classes of one name are merged: {', '.join(twice)}"


def _rows(folder: Path, settings: Settings) -> Iterator[Row]:
    if not settings.entries:
        pictures = _below(folder, "", EXTENSIONS)
        if inner := [path for path in pictures if _folder_at(path, "images") is not None]:
            pictures = inner
        yield from _matched(pictures, _below(folder, "", LABEL))
    for split, places in settings.entries:
        lists = [place for place in places if (folder / place).is_file()]
        folders = [place for place in places if place not in lists]
        pictures = [path for place in folders for path in _below(folder, place, EXTENSIONS)]
        labels = [path for place in folders for path in _labels_for(folder, place)]
        yield from _matched(dict.fromkeys(pictures), labels, split)
        if lists:
            yield from _listed_rows(folder, lists, split)


def _labels_for(folder: Path, place: str) -> list[str]:
    own = _label_of(PurePosixPath(place) / "a").parent.as_posix()
    return [path for inner in dict.fromkeys((place, own)) for path in _below(folder, inner, LABEL)]


def _below(folder: Path, inner: str, extensions: frozenset[str]) -> list[str]:
    prefix = f"{inner}/" if inner not in ("", ".") else ""
    return [prefix + path for path in files_below(folder / inner, extensions, border=folder)]


def _listed_rows(folder: Path, lists: list[str], split: str) -> Iterator[Row]:
    """Rows of the pictures that .txt files list, relative to their own folder or the dataset's."""
    known = set(_below(folder, "", EXTENSIONS))
    pictures: dict[str, None] = {}
    for place in lists:
        refuse_outside(folder / place, folder)
        for number, line in read_lines(folder / place, place):
            text = inside(line, f"{place}, line {number}")
            beside = (PurePosixPath(place).parent / text).as_posix()
            pictures[beside if beside in known else text] = None
    labels = {_key(path, "labels", "images"): path for path in _below(folder, "", LABEL)}
    for path in pictures:
        yield _row(path, labels.get(_key(path, "images"), ""), split)


def _matched(pictures: Iterable[str], labels: Iterable[str], split: str = "") -> Iterator[Row]:
    """Rows of the pictures, and of labels below a folder "labels" whose pictures are missing."""
    keyed = [(_key(path, "images"), path) for path in pictures]
    keys = {key for key, _ in keyed}
    known = {}
    for path in sorted(labels, key=lambda path: _folder_at(path, "labels") is not None):
        key = _key(path, "labels", "images")
        own = _folder_at(path, "labels") is not None and PurePosixPath(path).name not in _NO_LABELS
        if own or key in keys:
            known[key] = path
    for _, picture, label in match_files(keyed, known.items(), lambda key: key.replace(_HERE, "images") + ".jpg"):
        yield _row(picture, label, split)


def _row(picture: str, label: str, split: str) -> Row:
    """The name is the picture's path without the folder "images" and the split's."""
    parts = stem_of(picture).split("/")
    if (place := _folder_at(picture, "images")) is not None:
        del parts[place]
    found = (place for place, part in enumerate(parts[:-1]) if split_of(part) and split in ("", split_of(part)))
    if (place := next(found, None)) is not None:
        split = split_of(parts.pop(place))
    return Row(name="/".join(parts), picture=picture, label=label, split=split)


def _folder_at(path: str, name: str) -> int | None:
    """Where the last folder called ``name``, in any case, stands in ``path``."""
    folders = path.lower().split("/")[:-1]
    return len(folders) - 1 - folders[::-1].index(name) if name in folders else None


def _key(path: str, *names: str) -> str:
    """``path`` without extension, the last folder called by the first of ``names`` that occurs taken out."""
    parts = stem_of(path).split("/")
    place = next((place for name in names if (place := _folder_at(path, name)) is not None), None)
    if place is not None:
        parts[place] = _HERE
    return "/".join(parts)


def _label_of(picture: PurePosixPath) -> PurePosixPath:
    parts = list(picture.with_suffix(".txt").parts)
    if (place := _folder_at("/".join(parts), "images")) is not None:
        parts[place] = "labels"
    return PurePosixPath(*parts)


def _refuse_two_splits(rows: list[Row], file: str) -> None:
    splits: dict[str, str] = {}
    for row in rows:
        if splits.setdefault(row.picture, row.split) != row.split:
            raise UserError(f"{row.picture} is in {splits[row.picture]} and {row.split} of {file}: keep it in one")


def _lines(record: Record) -> Iterator[str]:
    size = (record.width, record.height)
    for label, corners in zip(record.labels, record.boxes.astype(float).tolist(), strict=True):
        low, high = corners[:2], corners[2:]
        centre = [(a + b) / 2 / side for a, b, side in zip(low, high, size, strict=True)]
        extent = [(b - a) / side for a, b, side in zip(low, high, size, strict=True)]
        yield " ".join([str(label), *(f"{share:.12g}" for share in (*centre, *extent))])
