"""COCO: one JSON of images, annotations and categories for each split, beside or apart from the pictures.

Understood are ``annotations/instances_{train,val,test}2017.json``, Roboflow's
``{train,valid,test}/_annotations.coco.json`` and any other ``*.json`` with these three lists; a word like "train" in
the file's or folder's name tells its split.
Boxes without ``bbox`` are drawn around their polygons. ``iscrowd`` is kept; ``difficult``, ``truncated`` and
``occluded`` have no field in COCO and are written to and read from ``attributes``, as CVAT and Datumaro do.
"""

import contextlib
import mmap
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netwright.artifacts.dataset import Record
from netwright.data.formats.coco_json import CocoFile
from netwright.data.formats.coco_output import CocoOutput
from netwright.data.formats.picture_files import without_extension
from netwright.data.raw import RawDataset, RawPicture
from netwright.errors import UserError

ANNOTATIONS = "annotations"
_ROBOFLOW = "_annotations.coco.json"
_KEYS = tuple(re.compile(rb'"%s"\s*:\s*\[' % key) for key in (b"images", b"annotations", b"categories"))
_SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
_PROBES = 50  # pictures looked for, to tell in which folder they are


def detect(folder: Path) -> str:
    """Why ``folder`` is a COCO dataset, "" where it is not."""
    files = _json_files(folder)
    return f"it has {files[0].relative_to(folder)} with images, annotations and categories" if files else ""


def load(folder: Path) -> RawDataset:
    """Read the JSON files of the dataset in ``folder`` as a stream into arrays; pictures stay unread.

    A picture that no annotation names is a picture without objects. An annotation whose picture is not listed becomes
    a label without a picture. Raises UserError for a folder without such files, or a file that contradicts itself.
    """
    paths = _json_files(folder)
    if not paths:
        raise UserError(f"no JSON file with images, annotations and categories in {folder}: a COCO dataset has one")
    parts = [_part(folder, path) for path in paths]
    classes = dict.fromkeys(name for part in parts for name in part.file.classes)
    return RawDataset(
        format="coco",
        classes=tuple(classes),
        pictures=_Pictures(folder, parts),
        count=sum(len(part.file.files) for part in parts),
        notes=tuple(_note(folder, part) for part in parts),
    )


def save(dataset: Iterable[Record], classes: Sequence[str], folder: Path) -> None:
    """Write ``annotations/instances_<split>2017.json`` and ``<split>2017/``, the names that COCO's tools look for.

    Pictures are written as they are; one at a time is held in memory. Classes become the categories 1 to N.
    """
    with contextlib.ExitStack() as stack:
        outputs: dict[str, CocoOutput] = {}
        for record in dataset:
            if record.split not in outputs:
                part = f"{record.split}2017"
                path = folder / ANNOTATIONS / f"instances_{part}.json"
                outputs[record.split] = stack.enter_context(CocoOutput(path, folder / part, classes))
            outputs[record.split].add(record)


@dataclass(frozen=True, kw_only=True)
class _Part:
    """One JSON file, its split ("" where its name tells none) and the folder of its pictures."""

    file: CocoFile
    split: str
    pictures: Path


class _Pictures:
    def __init__(self, folder: Path, parts: list[_Part]) -> None:
        self.folder, self.parts = folder, parts

    def __iter__(self) -> Iterator[RawPicture]:
        for part in self.parts:
            source = part.file.path.relative_to(self.folder).as_posix()
            for picture, name in part.file.files.items():
                yield _picture(part, picture, name, source)


def _picture(part: _Part, picture: Any, name: str, source: str) -> RawPicture:
    rows = part.file.rows(picture)
    unlisted = f"image_id {picture}".replace("/", "_")  # no picture has that name: rule missing_image lists it
    return RawPicture(
        name=without_extension(name) if name else unlisted,
        content=_find(part.pictures, name) if name else part.pictures / unlisted,
        labels=rows.read,
        state=rows.state(),
        source=source,
        split=part.split,
    )


def _find(folder: Path, name: str) -> Path:
    """The picture's file, its extension in another case where only that is there."""
    stem, extension = os.path.splitext(name)  # noqa: PTH122 of a name, not a path
    for candidate in (name, stem + extension.lower(), stem + extension.upper()):
        if os.path.isfile(folder / candidate):  # noqa: PTH113 false, not an error, for a loop of links
            return folder / candidate
    return folder / name


def _note(folder: Path, part: _Part) -> str:
    path, pictures = part.file.path.relative_to(folder), os.path.relpath(part.pictures, folder)
    unlisted = sum(not name for name in part.file.files.values())
    more = f"; annotations name {unlisted} pictures that it does not list" if unlisted else ""
    more += "".join(f"; {heading!r} only heads its categories" for heading in part.file.headings)
    return f"{path}: {len(part.file.files)} pictures of {pictures}, split {part.split or 'not told'}{more}"


def _json_files(folder: Path) -> list[Path]:
    """The files by COCO's own names, or else by Roboflow's, or else by what is in them."""
    own = sorted((folder / ANNOTATIONS).glob("instances_*.json"))
    roboflow = sorted([*folder.glob(_ROBOFLOW), *folder.glob(f"*/{_ROBOFLOW}")])
    return (
        own or roboflow or sorted(path for path in [*folder.glob("*.json"), *folder.glob("*/*.json")] if _is_coco(path))
    )


def _is_coco(path: Path) -> bool:
    try:
        if not path.is_file() or not path.stat().st_size:
            return False
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            return all(key.search(text) for key in _KEYS)
    except OSError:
        return False


def _part(folder: Path, path: Path) -> _Part:
    split = _split_of(path.stem) or ("" if path.parent == folder else _split_of(path.parent.name))
    file = CocoFile(path)
    return _Part(file=file, split=split, pictures=_pictures_folder(folder, file, split))


def _split_of(text: str) -> str:
    found = {_SPLIT_WORDS[word] for word in re.split(r"[^a-z]+", text.lower()) if word in _SPLIT_WORDS}
    return found.pop() if len(found) == 1 else ""


def _pictures_folder(folder: Path, file: CocoFile, split: str) -> Path:
    """The folder with most of the first pictures; the first of the usual ones where none has any."""
    words = [file.path.stem.removeprefix("instances_")]
    words += [word for word, meaning in _SPLIT_WORDS.items() if meaning == split]
    usual = [file.path.parent] if file.path.name == _ROBOFLOW else []
    usual += [folder / inner / word for word in words for inner in ("", "images")]
    usual += [folder / "images", folder / "data", folder, file.path.parent, folder / "JPEGImages"]
    probes = [name for name in file.files.values() if name][:_PROBES]
    present = [place for place in usual if place.is_dir()]
    return max(present, key=lambda place: sum(_find(place, name).exists() for name in probes))
