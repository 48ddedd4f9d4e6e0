"""Writing one COCO JSON file and its pictures, a record at a time."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from netwright.artifacts.dataset import Record
from netwright.artifacts.whole_file import whole_file
from netwright.data.formats.picture_files import write_picture

_TWO_DECIMALS = 1e4


class CocoOutput:
    """Collects images and annotations in two temporary files, and joins them to ``path`` when the context ends well.

    Pictures go to ``pictures``. Ids count from 1: pycocotools takes an annotation of id 0 for none.
    """

    def __init__(self, path: Path, pictures: Path, classes: Sequence[str]) -> None:
        self.path, self.pictures, self.classes = path, pictures, classes
        self.images, self.annotations = _List(), _List()

    def add(self, record: Record) -> None:
        """Write the record's picture and note its boxes."""
        file_name = write_picture(self.pictures, record)
        self.images.append(
            f'{{"id": {self.images.count + 1}, "file_name": {json.dumps(file_name)}, '
            f'"width": {record.width}, "height": {record.height}}}'
        )
        attributes = _attributes(record)
        rows = zip(_xywh(record.boxes), record.labels.tolist(), record.crowd.tolist(), attributes, strict=True)
        for (x, y, width, height), label, crowd, more in rows:
            self.annotations.append(
                f'{{"id": {self.annotations.count + 1}, "image_id": {self.images.count}, "category_id": {label + 1}, '
                f'"bbox": [{x!r}, {y!r}, {width!r}, {height!r}], "area": {width * height!r}, '
                f'"iscrowd": {int(crowd)}, "segmentation": []{more}}}'
            )

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
        categories = [{"id": place, "name": name, "supercategory": ""} for place, name in enumerate(self.classes, 1)]
        with whole_file(self.path) as temporary, temporary.open("w", encoding="utf-8") as out:
            out.write(f'{{"categories": {json.dumps(categories)},\n"images": [')
            self.images.copy_to(out)
            out.write('],\n"annotations": [')
            self.annotations.copy_to(out)
            out.write("]}\n")


class _List:
    """The inside of a JSON array, in a temporary file: memory must not grow with it."""

    def __init__(self) -> None:
        self.file, self.count = tempfile.TemporaryFile("w+", encoding="utf-8"), 0  # noqa: SIM115 closed by its owner

    def append(self, entry: str) -> None:
        """``entry``: JSON text."""
        self.file.write(f",\n{entry}" if self.count else f"\n{entry}")
        self.count += 1

    def copy_to(self, out: Any) -> None:
        self.file.seek(0)
        while piece := self.file.read(1 << 20):
            out.write(piece)


def _xywh(boxes: NDArray[np.float32]) -> Iterator[tuple[float, float, float, float]]:
    """The shortest decimals from which the same four float32 corners are read again. Raises ValueError for NaN."""
    if not np.isfinite(boxes).all():
        raise ValueError("a box is not finite, which JSON cannot hold")
    exact = boxes.astype(np.float64)
    short = np.round(exact, 2)
    # below 10^4 two decimals are coarser than float32, so that no shorter text than theirs means the same number
    if (short.astype(np.float32) == boxes).all() and (np.abs(short) < _TWO_DECIMALS).all():
        lengths = np.round(short[:, 2:] - short[:, :2], 6)
        if ((short[:, :2] + lengths).astype(np.float32) == boxes[:, 2:]).all():
            yield from map(tuple, np.concatenate((short[:, :2], lengths), axis=1).tolist())
            return
    for box in boxes:
        left, top, right, bottom = (float(str(corner)) for corner in box)
        yield left, top, _length(left, right), _length(top, bottom)


def _length(start: float, end: float) -> float:
    short = round(end - start, 6)
    return short if np.float32(start + short) == np.float32(end) else end - start


def _attributes(record: Record) -> list[str]:
    """For each box what COCO has no field for, where there is any."""
    if not (record.difficult.any() or record.truncated.any() or record.occluded.any()):
        return [""] * len(record.labels)
    rows = zip(record.difficult.tolist(), record.truncated, record.occluded.tolist(), strict=True)
    return [
        f', "attributes": {{"difficult": {str(bool(difficult)).lower()}, "truncated": {float(str(truncated))!r}, '
        f'"occluded": {occluded}}}'
        if difficult or truncated or occluded
        else ""
        for difficult, truncated, occluded in rows
    ]
