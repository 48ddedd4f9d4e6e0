"""COCO: one JSON of images, annotations and categories for each split, beside or apart from the pictures.

Understood are ``annotations/instances_{train,val,test}2017.json``, Roboflow's
``{train,valid,test}/_annotations.coco.json`` and any other ``*.json`` with these three lists; a word like "train" in
the file's or folder's name tells its split.
Boxes without ``bbox`` are drawn around their polygons. ``iscrowd`` is kept; ``difficult``, ``truncated`` and
``occluded`` have no field in COCO and are written to and read from ``attributes``, as CVAT and Datumaro do.
"""

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from netwright.artifacts.dataset import Record
from netwright.data.conversion.raw import RawDataset, RawPicture
from netwright.data.formats.coco_layout import ANNOTATIONS, Part, find_picture, json_files, read_part, settle
from netwright.data.formats.coco_output import CocoOutput
from netwright.data.formats.folders import stem_of
from netwright.errors import UserError


def detect(folder: Path) -> str:
    """Why ``folder`` is a COCO dataset, "" where it is not."""
    files = json_files(folder)
    return f"it has {files[0].relative_to(folder)} with images, annotations and categories" if files else ""


def load(folder: Path) -> RawDataset:
    """Read the JSON files of the dataset in ``folder`` as a stream into arrays; pictures stay unread.

    A picture that no annotation names is a picture without objects. An annotation whose picture is not listed becomes
    a label without a picture. Raises UserError for a folder without such files, or a file that contradicts itself.
    """
    paths = json_files(folder)
    if not paths:
        raise UserError(f"no JSON file with images, annotations and categories in {folder}: a COCO dataset has one")
    parts = [read_part(folder, path) for path in paths]
    classes = dict.fromkeys(name for part in parts for name in part.file.classes)
    parts, notes = settle(folder, parts)
    return RawDataset(
        format="coco",
        classes=tuple(classes),
        pictures=_Pictures(folder, parts),
        count=sum(len(part.file.files) for part in parts),
        notes=(*(_note(folder, part) for part in parts), *notes),
    )


def pictures_in(split: str) -> str:
    """The folder of a split's pictures in what ``save`` writes."""
    return f"{split}2017"


def save(dataset: Iterable[Record], classes: Sequence[str], folder: Path) -> None:
    """Write ``annotations/instances_<split>2017.json`` and ``<split>2017/``, the names that COCO's tools look for.

    Pictures are written as they are; one at a time is held in memory. Classes become the categories 1 to N.
    """
    with contextlib.ExitStack() as stack:
        outputs: dict[str, CocoOutput] = {}
        for record in dataset:
            if record.split not in outputs:
                part = pictures_in(record.split)
                path = folder / ANNOTATIONS / f"instances_{part}.json"
                outputs[record.split] = stack.enter_context(CocoOutput(path, folder / part, classes))
            outputs[record.split].add(record)


class _Pictures:
    def __init__(self, folder: Path, parts: list[Part]) -> None:
        self.folder, self.parts = folder, parts

    def __iter__(self) -> Iterator[RawPicture]:
        for part in self.parts:
            source = part.file.path.relative_to(self.folder).as_posix()
            for picture, name in part.file.files.items():
                yield _picture(part, picture, name, source)


def _picture(part: Part, picture: Any, name: str, source: str) -> RawPicture:
    rows = part.file.rows(picture)
    unlisted = (
        "image_id " + re.sub(r"[^\w.-]", "_", str(picture))[:80]
    )  # no picture has that name: rule missing_image lists it
    return RawPicture(
        name=part.prefix + (stem_of(name) if name else unlisted),
        content=find_picture(part.pictures, name) if name else part.pictures / unlisted,
        labels=rows.read,
        state=rows.state(),
        source=source,
        split=part.split,
    )


def _note(folder: Path, part: Part) -> str:
    path, pictures = part.file.path.relative_to(folder), os.path.relpath(part.pictures, folder)
    unlisted = sum(not name for name in part.file.files.values())
    more = f"; annotations name {unlisted} pictures that it does not list" if unlisted else ""
    more += "".join(f"; {heading!r} only heads its categories" for heading in part.file.headings)
    return f"{path}: {len(part.file.files)} pictures of {pictures}, split {part.split or 'not told'}{more}"
