"""A worker's piece of a raw dataset: its labels read as columns, its pictures put where the format has them."""

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from netwright.data.conversion.raw import RawPicture
from netwright.data.formats.box_columns import BoxColumns, columns_of
from netwright.data.formats.labelled_files import LabelledFiles
from netwright.data.formats.picture_files import extension_of, inside, make_folder
from netwright.data.formats.picture_header import EITHER_WAY, any_size, jpeg_size
from netwright.errors import UserError

_FICLONE = 0x40049409  # ioctl of Linux: the copy shares its blocks with the source until one of them is written
_PLAIN = 4096  # bytes in which the size of a plain JPEG stands

Piece = LabelledFiles | list[RawPicture]


class Place(NamedTuple):
    """Where pictures go: below ``output``, in the folder that ``pictures_in`` says for a split.

    With ``link`` they are hard links to the source's.
    """

    output: Path
    pictures_in: Callable[[str], str]
    link: bool = False


class _Source(NamedTuple):
    """A raw picture: its content, or the path where it lies, and who speaks of it."""

    name: str
    split: str
    group: str
    source: str
    content: bytes | str


class Placed(NamedTuple):
    """A picture that is in the output, and its file's name and upright size there."""

    name: str
    split: str
    group: str
    source: str
    file_name: str
    size: tuple[int, int]


class PlacedPiece(NamedTuple):
    """Pictures and the boxes of all of them."""

    pictures: list[Placed]
    boxes: BoxColumns


def place_piece(raws: Piece, place: Place) -> PlacedPiece:
    """Read the labels of a worker's piece and place its pictures; runs in its process."""
    if isinstance(raws, LabelledFiles):
        boxes = raws.columns()
    else:
        boxes = columns_of([raw.labels().boxes if raw.labels else () for raw in raws])
    made: set[str] = set()
    pictures = [_place(source, place, made) for source in _sources(raws)]
    _check_finite(boxes, pictures)
    return PlacedPiece(pictures, boxes)


def _sources(raws: LabelledFiles | Iterable[RawPicture]) -> Iterator[_Source]:
    if isinstance(raws, LabelledFiles):
        for row in raws.rows:
            picture = f"{raws.folder}/{row.picture}"
            yield _Source(row.name, row.split or "train", row.group, row.label or row.picture, picture)
        return
    for raw in raws:
        content = raw.content if isinstance(raw.content, bytes) else str(raw.content)
        yield _Source(raw.name, raw.split or "train", raw.group, raw.source, content)


def _check_finite(boxes: BoxColumns, pictures: list[Placed]) -> None:
    if len(odd := np.flatnonzero(~np.isfinite(boxes.corners).all(axis=1))):
        owner = pictures[np.searchsorted(np.cumsum(boxes.counts), odd[0], side="right")]
        raise UserError(f"{owner.source} has a box that is not finite, which cannot be written: {EITHER_WAY}")


def _place(raw: _Source, place: Place, made: set[str]) -> Placed:
    """Put the picture in its place, with its usual extension; ``made``: folders that are there.

    Paths are text here: making Path of each costs more than the reading.
    """
    name, split, group, source, content = raw
    try:
        head = content if isinstance(content, bytes) else _read(content, _PLAIN if place.link else None)
        size = jpeg_size(head) or any_size(content if place.link else head, source)
    except OSError as error:
        raise UserError(f"{content!s:.300} cannot be read ({error.strerror}): {EITHER_WAY}") from None
    file_name = inside(name + extension_of(head), "the dataset")
    try:
        _put(content, head, f"{place.output}/{place.pictures_in(split)}/{file_name}", made, link=place.link)
    except FileExistsError:
        raise twice(source, file_name) from None
    except OSError as error:
        raise UserError(f"{file_name} cannot be written ({error.strerror}): make room, or write elsewhere") from None
    return Placed(name, split, group, source, file_name, size)


def _put(source: bytes | str, content: bytes, target: str, made: set[str], *, link: bool) -> None:
    folder = target[: target.rindex("/")]
    if folder not in made:
        make_folder(folder)
        made.add(folder)
    if link and isinstance(source, str):
        _link(source, target)
    else:
        _write(source, content, target)


def _read(path: str, limit: int | None = None) -> bytes:
    """The file, or its first ``limit`` bytes; by descriptors, since file objects cost as much as the reading."""
    file = os.open(path, os.O_RDONLY)
    try:
        size = os.fstat(file).st_size if limit is None else limit
        content = os.read(file, size)
        while len(content) < size and (more := os.read(file, size - len(content))):
            content += more
    finally:
        os.close(file)
    return content


def _write(source: bytes | str, content: bytes, target: str) -> None:
    """In one go: a picture is read for its header anyway, and the kernel's own copying was measured to be slower."""
    copy = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        if isinstance(source, bytes) or not _cloned(source, copy):
            written = os.write(copy, content)
            while written < len(content):
                written += os.write(copy, memoryview(content)[written:])
    finally:
        os.close(copy)


_without_clones: set[int] = set()  # file systems (device numbers) that refused once


def _cloned(source: str, copy: int) -> bool:
    """True where the file system shares the blocks of ``source`` with the empty file ``copy`` (Btrfs, XFS)."""
    device = os.fstat(copy).st_dev
    if device in _without_clones:
        return False
    try:
        with open(source, "rb") as stream:  # noqa: PTH123
            fcntl.ioctl(copy, _FICLONE, stream.fileno())
    except OSError:
        _without_clones.add(device)
        return False
    return True


def _link(path: str, target: str) -> None:
    try:
        os.link(os.path.realpath(path) if os.path.islink(path) else path, target)  # noqa: PTH114
    except FileExistsError:
        raise
    except OSError as error:
        raise UserError(f"--link cannot link {path} ({error.strerror}): leave --link out to copy it") from None


def twice(source: str, file_name: str) -> UserError:
    """The error of two pictures that would be one file."""
    return UserError(f"two pictures would be written as {file_name}, {source} is the second: rename one")
