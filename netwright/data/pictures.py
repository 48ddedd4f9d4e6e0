"""A split of the dataset, decoded once and kept as uint8 pixels of the network's size."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netwright.artifacts.dataset import read_manifest, read_records
from netwright.data.preprocess import Geometry, decode_picture, fit_picture
from netwright.errors import UserError
from netwright.types import InputSpec


@dataclass(frozen=True, kw_only=True)
class PictureSet:
    """N pictures, ready for the network, with their truth.

    ``pixels`` (N, 3, H, W) uint8; ``boxes`` per picture (n, 4) float32 xyxy in pixels of the original picture;
    ``labels`` per picture (n,) int64, indices into ``classes``.
    """

    names: tuple[str, ...]
    pixels: NDArray[np.uint8]
    geometries: tuple[Geometry, ...]
    boxes: tuple[NDArray[np.float32], ...]
    labels: tuple[NDArray[np.int64], ...]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def input_boxes(self, index: int) -> NDArray[np.float32]:
        """The boxes of picture ``index`` in pixels of the network's input."""
        return self.geometries[index].to_input(self.boxes[index])


def load_pictures(folder: Path, split: str, spec: InputSpec, limit: int | None = None) -> PictureSet:
    """Decode ``split`` of the converted dataset in ``folder``, or its first ``limit`` pictures by name.

    Raises UserError for a missing dataset or an empty split.
    """
    manifest = read_manifest(folder)
    count = manifest.images(split) if limit is None else min(limit, manifest.images(split))
    if not count:
        raise UserError(f"split {split!r} of {folder} holds no picture: give it some in the dataset's split files")
    pixels = np.empty((count, 3, spec.height, spec.width), dtype=np.uint8)
    records = list(islice(read_records(folder, split), count))
    geometries = []
    for index, record in enumerate(records):
        pixels[index], geometry = fit_picture(decode_picture(record.image), spec)
        geometries.append(geometry)
    return PictureSet(
        names=tuple(record.name for record in records),
        pixels=pixels,
        geometries=tuple(geometries),
        boxes=tuple(record.boxes for record in records),
        labels=tuple(record.labels for record in records),
        classes=manifest.classes,
    )
