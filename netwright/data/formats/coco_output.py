"""Writing one COCO JSON file and its pictures, a record at a time."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from netwright.artifacts.dataset import Record
from netwright.artifacts.whole_file import whole_file
from netwright.data.formats.picture_files import write_picture

_TWO_DECIMALS = 1e4
_TOGETHER = 256  # pictures whose boxes are written in one go: arrays of a few boxes cost more than their numbers


class _Boxes(NamedTuple):
    """The boxes of one picture, or one after the other of several."""

    labels: NDArray[np.int64]
    corners: NDArray[np.float32]
    crowd: NDArray[np.bool_]
    difficult: NDArray[np.bool_]
    truncated: NDArray[np.float32]
    occluded: NDArray[np.int8]


class CocoOutput:
    """Collects images and annotations in two temporary files, and joins them to ``path`` when the context ends well.

    Pictures go to ``pictures``. Ids count from 1: pycocotools takes an annotation of id 0 for none.
    """

    def __init__(self, path: Path, pictures: Path, classes: Sequence[str]) -> None:
        self.path, self.pictures, self.classes = path, pictures, classes
        self.images, self.annotations = _List(), _List()
        self.waiting: list[tuple[str, _Boxes]] = []

    def add(self, record: Record) -> None:
        """Write the record's picture and note its boxes."""
        file_name, number = write_picture(self.pictures, record), self.images.count + len(self.waiting) + 1
        name = json.dumps(file_name)
        image = f'{{"id": {number}, "file_name": {name}, "width": {record.width}, "height": {record.height}}}'
        boxes = _Boxes(record.labels, record.boxes, record.crowd, record.difficult, record.truncated, record.occluded)
        self.waiting.append((image, boxes))
        if len(self.waiting) == _TOGETHER:
            self._flush()

    def _flush(self) -> None:
        """Write what is waiting."""
        if not self.waiting:
            return
        texts, pictures = zip(*self.waiting, strict=True)
        numbers = np.arange(len(texts)) + self.images.count + 1
        owners = numbers.repeat([len(boxes.labels) for boxes in pictures]).tolist()
        boxes = _Boxes(*map(np.concatenate, zip(*pictures, strict=True)))
        self.images.append(texts)
        self.annotations.append(list(_annotations(owners, boxes, self.annotations.count + 1)))
        self.waiting.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            if kind is None:
                self._write()
        finally:
            self.images.file.close()
            self.annotations.file.close()

    def _write(self) -> None:
        self._flush()
        categories = [{"id": place, "name": name, "supercategory": ""} for place, name in enumerate(self.classes, 1)]
        with whole_file(self.path) as temporary, temporary.open("wb") as out:
            out.write(f'{{"categories": {json.dumps(categories)},\n"images": ['.encode())
            self.images.copy_to(out)
            out.write(b'],\n"annotations": [')
            self.annotations.copy_to(out)
            out.write(b"]}\n")


class _List:
    """The inside of a JSON array, in a temporary file: memory must not grow with it."""

    def __init__(self) -> None:
        self.file, self.count = tempfile.TemporaryFile(), 0  # noqa: SIM115 closed by its owner

    def append(self, entries: Sequence[str]) -> None:
        """``entries``: JSON texts."""
        if entries:
            self.file.write(((",\n" if self.count else "\n") + ",\n".join(entries)).encode())
            self.count += len(entries)

    def copy_to(self, out: BinaryIO) -> None:
        self.file.seek(0)
        shutil.copyfileobj(self.file, out, 1 << 20)


def _annotations(owners: list[int], boxes: _Boxes, first: int) -> Iterator[str]:
    """Yield the JSON text of each box, which is in the picture of this id in ``owners``; ids count from ``first``."""
    rows = zip(
        owners,
        boxes.labels.tolist(),
        *_xywh(boxes.corners),
        boxes.crowd.tolist(),
        _attributes(boxes),
        strict=True,
    )
    for number, (image, label, box, area, crowd, more) in enumerate(rows, first):
        yield (
            f'{{"id": {number}, "image_id": {image}, "category_id": {label + 1}, "bbox": {box}, '
            f'"area": {area}, "iscrowd": {crowd:d}, "segmentation": []{more}}}'
        )


def _xywh(boxes: NDArray[np.float32]) -> tuple[list[list[float]], list[float]]:
    """The shortest decimals from which the same four float32 corners are read again, and areas.

    Raises ValueError for NaN.
    """
    if not np.isfinite(boxes).all():
        raise ValueError("a box is not finite, which JSON cannot hold")
    corners = _shortest(boxes)
    starts, ends = corners[:, :2], corners[:, 2:]
    lengths = np.round(ends - starts, 6)
    exact = (starts + lengths).astype(np.float32) == boxes[:, 2:]
    sides = np.where(exact, lengths, ends - starts)
    return np.concatenate((starts, sides), axis=1).tolist(), np.round(sides[:, 0] * sides[:, 1], 6).tolist()


def _shortest(numbers: NDArray[np.float32]) -> NDArray[np.float64]:
    """The shortest decimals that mean ``numbers``."""
    short = numbers.astype(np.float64).round(2)
    # below 10^4 two decimals are coarser than float32, so that no shorter text than theirs means the same number
    odd = (short.astype(np.float32) != numbers) | (np.abs(short) >= _TWO_DECIMALS)
    short[odd] = [float(str(number)) for number in numbers[odd]]
    return short


def _attributes(boxes: _Boxes) -> list[str]:
    """For each box what COCO has no field for, where there is any."""
    texts = [""] * len(boxes.labels)
    truncated = _shortest(boxes.truncated)
    for place in np.flatnonzero(boxes.difficult | (truncated != 0) | (boxes.occluded != 0)).tolist():
        difficult = str(bool(boxes.difficult[place])).lower()
        told = f'"difficult": {difficult}, "truncated": {truncated[place]!s}, "occluded": {boxes.occluded[place]}'
        texts[place] = f', "attributes": {{{told}}}'
    return texts
