"""A raw dataset as records for a writer, with no pixel decoded and nothing checked: labels, picture headers, copies.

Worker processes read the labels and put the pictures where the format has them. A copy is written in a folder of its
piece first and then moved: files made in one folder wait for each other.
"""

import fcntl
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from netwright.data.conversion.raw import RawBox, RawDataset, RawPicture
from netwright.data.feeding.worker_pool import map_in_workers
from netwright.data.formats.labelled_files import LabelledFiles
from netwright.data.formats.picture_files import PlacedRecord, extension_of, inside, make_folder
from netwright.data.formats.picture_header import EITHER_WAY, header_size
from netwright.errors import UserError

_PIECE = 128  # pictures handed to a worker at a time
_FICLONE = 0x40049409  # ioctl of Linux: the copy shares its blocks with the source until one of them is written
_PLAIN = 4096  # bytes in which the size of a plain JPEG stands
_FLAGS: dict[str, Any] = {"difficult": np.bool_, "crowd": np.bool_, "truncated": np.float32, "occluded": np.int8}

_Piece = tuple[int, Iterable[RawPicture]]


class Place(NamedTuple):
    """Where pictures go: below ``output``, in the folder that ``pictures_in`` says for a split, by way of ``staging``.

    With ``link`` they are hard links to the source's.
    """

    output: Path
    staging: Path
    pictures_in: Callable[[str], str]
    link: bool = False


class _Placed(NamedTuple):
    """A picture that is in the output: its file's name there, upright size, how many of the piece's boxes are its."""

    name: str
    split: str
    group: str
    source: str
    file_name: str
    size: tuple[int, int]
    boxes: int


class _PlacedPiece(NamedTuple):
    """Pictures, and the class names, corners (N, 4) and flags (N,) of all their boxes, one after the other."""

    pictures: list[_Placed]
    labels: list[str]
    corners: NDArray[np.float32]
    flags: dict[str, NDArray[Any]]


def direct_records(
    raw: RawDataset,
    place: Place,
    classes: list[str],
    *,
    check: Callable[[list[str]], None] = lambda _: None,
    workers: int = 1,
) -> Generator[PlacedRecord, None, None]:
    """Yield the records of ``raw`` in its order, their pictures where ``place`` says.

    ``classes`` grows by each class when it is first met, and ``check`` is shown it. A picture without a label has no
    objects, one without a split is of "train". Raises UserError for a picture that is missing or has no readable
    header, a box that is not finite, and two pictures that would be one file.
    """
    codes = {name: code for code, name in enumerate(classes)}
    seen: set[str] = set()
    work = partial(place_piece, place=place)
    with closing(map_in_workers(work, _pieces(raw.pictures), workers=workers)) as pieces:
        for piece in pieces:
            for label in dict.fromkeys(piece.labels):
                if label not in codes:
                    check([label])
                    codes[label] = len(classes)
                    classes.append(label)
            for record in _records(piece, codes):
                file = f"{place.pictures_in(record.split)}/{record.file_name}"
                if file in seen:
                    raise _twice(record.source, record.file_name)
                seen.add(file)
                yield record


def place_piece(piece: _Piece, place: Place) -> _PlacedPiece:
    """Read the labels of a worker's piece and place its pictures; runs in its process."""
    number, raws = piece
    staging = place.staging / str(number)
    staging.mkdir(parents=True)
    boxes: list[RawBox] = []
    pictures = []
    made: set[str] = set()
    for raw in raws:
        found = raw.labels().boxes if raw.labels else ()
        boxes += found
        split = raw.split or "train"
        file_name, size = _place(raw, place, split, f"{staging}/picture", made)
        pictures.append(_Placed(raw.name, split, raw.group, raw.source, file_name, size, len(found)))
    staging.rmdir()
    corners = np.array([box.corners for box in boxes], np.float32).reshape(-1, 4)
    if len(odd := np.flatnonzero(~np.isfinite(corners).all(axis=1))):
        owner = pictures[np.searchsorted(np.cumsum([picture.boxes for picture in pictures]), odd[0], side="right")]
        raise UserError(f"{owner.source} has a box that is not finite, which cannot be written: {EITHER_WAY}")
    columns = dict(zip(RawBox._fields, zip(*boxes, strict=True), strict=False)) if boxes else {}
    flags = {name: np.array(columns.get(name, ()), kind) for name, kind in _FLAGS.items()}
    return _PlacedPiece(pictures, [box.label for box in boxes], corners, flags)


def _place(raw: RawPicture, place: Place, split: str, staged: str, made: set[str]) -> tuple[str, tuple[int, int]]:
    """Put the picture in its place, with its usual extension; return the file's name and the upright size.

    ``made``: folders that are there.
    """
    try:
        content = raw.content if isinstance(raw.content, bytes) else _read(raw.content, _PLAIN if place.link else -1)
        size = header_size(content, raw.content if place.link else content, raw.source)
        file_name = inside(raw.name + extension_of(content), "the dataset")
        target = f"{place.output}/{place.pictures_in(split)}/{file_name}"
        folder = target.rpartition("/")[0]
        if folder not in made:
            make_folder(folder)
            made.add(folder)
        if place.link and not isinstance(raw.content, bytes):
            _link(raw, target)
        else:
            _write(raw.content, content, staged)
            os.rename(staged, target)  # noqa: PTH104 as above
    except OSError as error:
        raise UserError(f"{raw.content!s:.300} cannot be read ({error.strerror}): {EITHER_WAY}") from None
    return file_name, size


def _read(path: Path, size: int) -> bytes:
    with open(path, "rb", buffering=0) as stream:  # noqa: PTH123 Path.open costs more than the reading
        return stream.read(size)


def _write(source: bytes | Path, content: bytes, target: str) -> None:
    """In one go: a picture is read for its header anyway, and the kernel's own copying was measured to be slower."""
    with open(target, "xb", buffering=0) as copy:  # noqa: PTH123 as above
        if isinstance(source, bytes) or not _cloned(source, copy.fileno()):
            rest = memoryview(content)
            while rest:
                rest = rest[copy.write(rest) :]


_without_clones: set[int] = set()  # file systems (device numbers) that refused once


def _cloned(source: Path, copy: int) -> bool:
    """True where the file system shares the blocks of ``source`` with the empty file ``copy`` (Btrfs, XFS)."""
    device = os.fstat(copy).st_dev
    if device in _without_clones:
        return False
    try:
        with source.open("rb") as stream:
            fcntl.ioctl(copy, _FICLONE, stream.fileno())
    except OSError:
        _without_clones.add(device)
        return False
    return True


def _link(raw: RawPicture, target: str) -> None:
    source = str(raw.content)
    try:
        os.link(os.path.realpath(source) if os.path.islink(source) else source, target)  # noqa: PTH114 as above
    except FileExistsError:
        raise _twice(raw.source, os.path.basename(target)) from None  # noqa: PTH119
    except OSError as error:
        raise UserError(f"--link cannot link {source} ({error.strerror}): leave --link out to copy it") from None


def _twice(source: str, file_name: str) -> UserError:
    return UserError(f"two pictures would be written as {file_name}, {source} is the second: rename one")


def _pieces(pictures: Iterable[RawPicture]) -> Iterator[_Piece]:
    if isinstance(pictures, LabelledFiles):
        yield from enumerate(pictures.parts(_PIECE))
        return
    stream, number = iter(pictures), 0
    while piece := list(islice(stream, _PIECE)):
        yield number, piece
        number += 1


def _records(piece: _PlacedPiece, codes: dict[str, int]) -> Iterator[PlacedRecord]:
    labels = np.array([codes[label] for label in piece.labels], np.int64)
    end = 0
    for picture in piece.pictures:
        rows, end = slice(end, end + picture.boxes), end + picture.boxes
        yield PlacedRecord(
            name=picture.name,
            split=picture.split,
            group=picture.group,
            source=picture.source,
            image=b"",
            file_name=picture.file_name,
            width=picture.size[0],
            height=picture.size[1],
            boxes=piece.corners[rows],
            labels=labels[rows],
            **{name: values[rows] for name, values in piece.flags.items()},
        )
