"""A raw dataset as records for a writer, with no pixel decoded and nothing checked: labels, picture headers, copies.

Worker processes read the labels and place the pictures in a staging folder of the output, each piece in a folder of
its own (files made in one folder wait for each other); the writer, in the main process, only moves them.
"""

import fcntl
import io
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from netwright.data.conversion.raw import RawBox, RawDataset, RawPicture
from netwright.data.feeding.colour import SWAPPING, orientation_of
from netwright.data.feeding.worker_pool import map_in_workers
from netwright.data.formats.picture_files import StagedRecord, extension_of
from netwright.errors import UserError

_PIECE = 128  # pictures handed to a worker at a time
_FICLONE = 0x40049409  # ioctl of Linux: the copy shares its blocks with the source until one of them is written
_PLAIN = 4096  # bytes in which the size of a plain JPEG stands
_HEAD = 16  # bytes that tell a picture's kind
_EITHER_WAY = "convert checks and says what to do with it"
_FLAGS: dict[str, Any] = {"difficult": np.bool_, "crowd": np.bool_, "truncated": np.float32, "occluded": np.int8}

_Piece = tuple[int, list[RawPicture]]


class _Staged(NamedTuple):
    """A picture in the staging folder: ``file`` there, upright size, how many of the piece's boxes are its own."""

    name: str
    split: str
    group: str
    source: str
    file: str
    size: tuple[int, int]
    boxes: int


class _StagedPiece(NamedTuple):
    """Pictures, and the class names, corners (N, 4) and flags (N,) of all their boxes, one after the other."""

    pictures: list[_Staged]
    labels: list[str]
    corners: NDArray[np.float32]
    flags: dict[str, NDArray[Any]]


def direct_records(
    raw: RawDataset,
    staging: Path,
    classes: list[str],
    *,
    check: Callable[[list[str]], None] = lambda _: None,
    link: bool = False,
    workers: int = 1,
) -> Generator[StagedRecord, None, None]:
    """Yield the records of ``raw`` in its order, pictures staged below ``staging``.

    ``classes`` grows by each class when it is first met, and ``check`` is shown it. A picture without a label has no
    objects, one without a split is of "train". With ``link`` pictures are hard links to the source's. Raises UserError
    for a picture that is missing or has no readable header, and a box that is not finite.
    """
    codes = {name: code for code, name in enumerate(classes)}
    work = partial(stage_piece, staging=staging, link=link)
    with closing(map_in_workers(work, _pieces(raw.pictures), workers=workers)) as pieces:
        for piece in pieces:
            for label in dict.fromkeys(piece.labels):
                if label not in codes:
                    check([label])
                    codes[label] = len(classes)
                    classes.append(label)
            yield from _records(piece, codes, staging)


def stage_piece(piece: _Piece, staging: Path, link: bool) -> _StagedPiece:
    """Read the labels of a worker's piece and stage its pictures; runs in its process."""
    number, raws = piece
    folder = staging / str(number)
    folder.mkdir(parents=True)
    boxes: list[RawBox] = []
    pictures = []
    for place, raw in enumerate(raws):
        found = raw.labels().boxes if raw.labels else ()
        boxes += found
        extension, size = _place(raw, f"{folder}/{place}", link=link)
        file = f"{number}/{place}{extension}"
        pictures.append(
            _Staged(raw.name, raw.split or "train", raw.group, raw.source, file, size, len(found)),
        )
    corners = np.array([box.corners for box in boxes], np.float32).reshape(-1, 4)
    if not np.isfinite(corners).all():
        _refuse_box(raws)
    flags = {name: np.array([getattr(box, name) for box in boxes], kind) for name, kind in _FLAGS.items()}
    return _StagedPiece(pictures, [box.label for box in boxes], corners, flags)


def _place(raw: RawPicture, target: str, *, link: bool) -> tuple[str, tuple[int, int]]:
    """Stage the picture as ``target`` and its usual extension; return that and the upright size."""
    try:
        if link and not isinstance(raw.content, bytes):
            with open(raw.content, "rb") as stream:  # noqa: PTH123 Path.open costs more than the reading
                extension, size = extension_of(stream.read(_HEAD)), _size(stream, raw)
            _link(raw.content, target + extension)
            return extension, size
        return _copy(raw, target)
    except OSError as error:
        raise UserError(f"{raw.content!s:.300} cannot be read ({error.strerror}): {_EITHER_WAY}") from None


def _copy(raw: RawPicture, target: str) -> tuple[str, tuple[int, int]]:
    """In one go: a picture is read for its header anyway, and the kernel's own copying was measured to be slower."""
    content = raw.read()
    extension, size = extension_of(content), _size(io.BytesIO(content), raw)
    with open(target + extension, "xb", buffering=0) as copy:  # noqa: PTH123 as above
        if isinstance(raw.content, bytes) or not _cloned(raw.content, copy.fileno()):
            rest = memoryview(content)
            while rest:
                rest = rest[copy.write(rest) :]
    return extension, size


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


def _link(source: Path, target: str) -> None:
    try:
        os.link(os.path.realpath(source) if source.is_symlink() else source, target)
    except OSError as error:
        raise UserError(f"--link cannot link {source} ({error.strerror}): leave --link out to copy it") from None


def _size(stream: Any, raw: RawPicture) -> tuple[int, int]:
    """Upright (width, height) by the header of the picture in ``stream``."""
    try:
        stream.seek(0)
        if size := jpeg_size(stream.read(_PLAIN)):
            return size
        stream.seek(0)
        with Image.open(stream) as picture:
            width, height = picture.size
            turned = orientation_of(picture) in SWAPPING
    except Exception as error:  # noqa: BLE001 whatever Pillow's parsers raise for a damaged header
        raise UserError(f"the picture of {raw.source} has no readable header ({error!s:.80}): {_EITHER_WAY}") from None
    return (height, width) if turned else (width, height)


def jpeg_size(head: bytes) -> tuple[int, int] | None:
    """(width, height) of a JPEG without metadata that could turn it, by its first bytes; None: look closer.

    Ten times as fast as Pillow's parser. Markers: ITU-T T.81, table B.1; SOF0..2 hold the size (B.2.2).
    """
    place = 2
    if not head.startswith(b"\xff\xd8\xff"):
        return None
    while place + 9 <= len(head) and head[place] == 0xFF:
        marker, length = head[place + 1], int.from_bytes(head[place + 2 : place + 4], "big")
        if marker in (0xC0, 0xC1, 0xC2):
            height, width = (int.from_bytes(head[place + at : place + at + 2], "big") for at in (5, 7))
            return (width, height) if width and height else None
        if marker not in (0xE0, 0xDB, 0xC4, 0xFE, 0xDD):  # JFIF, tables, comment; EXIF among all others
            return None
        place += 2 + length
    return None


def _refuse_box(raws: list[RawPicture]) -> None:
    for raw in raws:
        boxes = raw.labels().boxes if raw.labels else ()
        if not np.isfinite(np.array([box.corners for box in boxes], np.float32)).all():
            raise UserError(f"{raw.source} has a box that is not finite, which cannot be written: {_EITHER_WAY}")


def _pieces(pictures: Iterable[RawPicture]) -> Iterator[_Piece]:
    stream, number = iter(pictures), 0
    while piece := list(islice(stream, _PIECE)):
        yield number, piece
        number += 1


def _records(piece: _StagedPiece, codes: dict[str, int], staging: Path) -> Iterator[StagedRecord]:
    labels = np.array([codes[label] for label in piece.labels], np.int64)
    end = 0
    for picture in piece.pictures:
        rows, end = slice(end, end + picture.boxes), end + picture.boxes
        yield StagedRecord(
            name=picture.name,
            split=picture.split,
            group=picture.group,
            source=picture.source,
            image=b"",
            staged=staging / picture.file,
            width=picture.size[0],
            height=picture.size[1],
            boxes=piece.corners[rows],
            labels=labels[rows],
            **{name: values[rows] for name, values in piece.flags.items()},
        )
