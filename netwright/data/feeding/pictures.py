"""A split of the dataset, decoded once and kept as uint8 pixels of the network's size."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netwright.artifacts.dataset import Manifest, read_labels, read_manifest
from netwright.data.feeding.decode_cache import cached_pixels
from netwright.data.feeding.drawing import Drawing
from netwright.data.feeding.free_memory import free_memory
from netwright.data.feeding.preprocess import Geometry, fit_geometry
from netwright.errors import UserError
from netwright.types import InputSpec

CACHE = "pictures"  # the decode cache's folder in scratch
MEMORY_SHARE = 0.5  # of the free memory: what pictures may take where there is no cache


@dataclass(frozen=True, kw_only=True)
class PictureSet:
    """N pictures, ready for the network, with their truth.

    ``pixels`` (N, 3, H, W) uint8, read-only and often a mapped file: take parts of it;
    ``boxes`` per picture (n, 4) float32 xyxy in pixels of the original picture;
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


def load_pictures(
    folder: Path,
    split: str,
    spec: InputSpec,
    limit: int | None = None,
    *,
    classes: tuple[str, ...] | None = None,
    scratch: Path | None = None,
    workers: int = 0,
) -> PictureSet:
    """The pictures of ``split`` of the converted dataset in ``folder``, or its first ``limit`` by name.

    ``classes`` are those of the network that they are for.

    They are decoded once, into a cache below ``scratch``, by ``workers`` threads (0: one for each processor). Without
    ``scratch``, or where it cannot be used, which is said in one line, they are decoded into memory. Raises UserError
    for a missing or damaged dataset, one of other classes, an empty split, and pictures that fit neither on the disk
    nor in memory.
    """
    manifest = read_manifest(folder)
    if classes is not None and classes != manifest.classes:
        raise UserError(
            f"the network is for {', '.join(classes)}, and {folder} has {', '.join(manifest.classes)}: run dvc repro, "
            f"which makes one for it"
        )
    names, geometries, boxes, labels = [], [], [], []
    for record in read_labels(folder, split)[:limit]:
        names.append(record.name)
        geometries.append(fit_geometry(record.width, record.height, spec))
        boxes.append(record.boxes)
        labels.append(record.labels)
    if not names:
        raise UserError(f"split {split!r} of {folder} holds no picture: give it some in the dataset's split files")
    drawing = Drawing(folder=folder, split=split, spec=spec, names=tuple(names), workers=workers)
    return PictureSet(
        names=tuple(names),
        pixels=_pixels(manifest, drawing, scratch),
        geometries=tuple(geometries),
        boxes=tuple(boxes),
        labels=tuple(labels),
        classes=manifest.classes,
    )


def _pixels(manifest: Manifest, drawing: Drawing, scratch: Path | None) -> NDArray[np.uint8]:
    if scratch is None:
        return _in_memory(drawing, "")
    try:
        return cached_pixels(scratch / CACHE, manifest, drawing)
    except OSError as error:
        reason = f"the decode cache in {scratch / CACHE} cannot be used ({error.strerror or error})"
    pixels = _in_memory(drawing, f"{reason}, and ")
    print(f"pictures: {reason}: {drawing.split} is kept in memory, {drawing.size / 1e6:.0f} MB", flush=True)
    return pixels


def _in_memory(drawing: Drawing, reason: str) -> NDArray[np.uint8]:
    free = free_memory()
    if drawing.size > MEMORY_SHARE * free:
        raise UserError(
            f"{reason}split {drawing.split!r} decoded to {drawing.size / 1e9:.2f} GB is more than half of the "
            f"{free / 1e9:.2f} GB of free memory: set NETWRIGHT_SCRATCH to a folder on a disk with room for it"
        )
    pixels = np.empty(drawing.shape, dtype=np.uint8)
    for places, block in drawing.blocks():
        pixels[places] = block
    pixels.flags.writeable = False
    return pixels
