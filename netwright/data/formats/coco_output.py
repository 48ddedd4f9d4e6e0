"""Writing one COCO JSON file and its pictures, a record at a time."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from netwright.artifacts.dataset import Record
from netwright.artifacts.whole_file import whole_file
from netwright.data.formats.picture_files import write_picture


class CocoOutput:
    """Collects images and annotations in two temporary files, and joins them to ``path`` when the context ends well.

    Pictures go to ``pictures``. Ids count from 1: pycocotools takes an annotation of id 0 for none.
    """

    def __init__(self, path: Path, pictures: Path, classes: Sequence[str]) -> None:
        self.path, self.pictures, self.classes = path, pictures, classes
        self.images, self.annotations = _List(), _List()

    def add(self, record: Record) -> None:
        """Write the record's picture and note its boxes."""
        file_name = write_picture(self.pictures, record.name, record.image)
        size = {"width": record.width, "height": record.height}
        self.images.append({"id": self.images.count + 1, "file_name": file_name, **size})
        for row in range(len(record.labels)):
            self.annotations.append(self._annotation(record, row))

    def _annotation(self, record: Record, row: int) -> dict[str, Any]:
        x, y, width, height = _xywh(record.boxes[row])
        annotation = {
            "id": self.annotations.count + 1,
            "image_id": self.images.count,
            "category_id": int(record.labels[row]) + 1,
            "bbox": [x, y, width, height],
            "area": width * height,
            "iscrowd": int(record.crowd[row]),
            "segmentation": [],
        }
        return annotation | _attributes(record, row)

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

    def append(self, entry: dict[str, Any]) -> None:
        self.file.write(f"{',' if self.count else ''}\n{json.dumps(entry, allow_nan=False)}")
        self.count += 1

    def copy_to(self, out: Any) -> None:
        self.file.seek(0)
        while piece := self.file.read(1 << 20):
            out.write(piece)


def _xywh(box: NDArray[np.float32]) -> tuple[float, float, float, float]:
    """The shortest decimals from which the same four float32 corners are read again."""
    left, top, right, bottom = (float(str(corner)) for corner in box)
    return left, top, _length(left, right), _length(top, bottom)


def _length(start: float, end: float) -> float:
    short = round(end - start, 6)
    return short if np.float32(start + short) == np.float32(end) else end - start


def _attributes(record: Record, row: int) -> dict[str, Any]:
    """What COCO has no field for, where there is any."""
    found = {
        "difficult": bool(record.difficult[row]),
        "truncated": float(str(record.truncated[row])),
        "occluded": int(record.occluded[row]),
    }
    return {"attributes": found} if any(found.values()) else {}
