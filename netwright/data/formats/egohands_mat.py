"""EgoHands' ``metadata.mat``, read in a process of its own: SciPy's reader crashes on some damaged files."""

import multiprocessing
import resource
import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Literal

import numpy as np

from netwright.data.conversion.raw import RawBox
from netwright.errors import UserError

CLASSES = ("myleft", "myright", "yourleft", "yourright")
LARGEST = 1 << 28  # bytes, unpacked; the true file is far smaller
_CORNERS_OF_POLYGON = 3
_COMPRESSED, _HEADER = 15, 128

Frames = list[tuple[int, tuple[RawBox, ...]]]


def read_videos(path: Path) -> list[tuple[str, Frames]]:
    """Return each video's id and labelled frames: number and boxes around the hands' polygons.

    Raises UserError where the file is missing, no MATLAB file, too large, or of another layout.
    """
    _check_size(path)
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if "forkserver" in methods:
        context.set_forkserver_preload([__name__, "scipy.io"])
    try:
        with ProcessPoolExecutor(1, mp_context=context, initializer=_bound_memory) as pool:
            return pool.submit(_read, path).result()
    except BrokenProcessPool:
        raise UserError(f"{path} is not a readable MATLAB file (reading it crashes): restore it") from None


def _check_size(path: Path) -> None:
    """Refuse variables that unpack to more than LARGEST bytes, before memory is taken for them (MAT-file 5 format)."""
    try:
        unpacked = _unpacked_size(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): EgoHands keeps its labels there") from None
    except zlib.error as error:
        raise UserError(f"{path} is not a readable MATLAB file ({error}): restore it") from None
    if unpacked > LARGEST:
        raise UserError(f"{path} unpacks to more than {LARGEST >> 20} MiB, EgoHands' own is far smaller: restore it")


def _unpacked_size(path: Path) -> int:
    size = path.stat().st_size
    unpacked = 0
    with path.open("rb") as file:
        header = file.read(_HEADER)
        order: Literal["big", "little"] = "big" if header[126:] == b"MI" else "little"
        while unpacked <= LARGEST and len(tag := file.read(8)) == 8:
            kind, length = (int.from_bytes(tag[at : at + 4], order) for at in (0, 4))
            if kind == _COMPRESSED:
                unpacked += len(zlib.decompressobj().decompress(file.read(min(length, size)), LARGEST + 1))
            else:
                unpacked += min(length, size)
                file.seek(length, 1)
    return unpacked


def _bound_memory() -> None:
    """A damaged file may claim arrays of any size."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = 16 * LARGEST
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard < 0 else min(limit, hard), hard))


def _read(path: Path) -> list[tuple[str, Frames]]:
    from scipy.io import loadmat

    try:
        videos = loadmat(path, variable_names=["video"]).get("video")
    except (Exception, MemoryError) as error:  # noqa: BLE001 a damaged file raises whatever its reader stumbles over
        raise UserError(f"{path} is not a readable MATLAB file ({error}): restore it") from None
    if videos is None:
        raise UserError(f"{path} has no variable 'video': EgoHands' own file is expected")
    try:
        return [(str(video["video_id"].item()), list(_frames(video))) for video in videos.ravel()]
    except (TypeError, ValueError, IndexError, KeyError, AttributeError, OverflowError) as error:
        raise UserError(f"{path} is not EgoHands' list of videos and labelled frames ({error}): restore it") from None


def _frames(video: Any) -> Iterator[tuple[int, tuple[RawBox, ...]]]:
    for frame in video["labelled_frames"].ravel():
        yield int(frame["frame_num"].item()), tuple(_boxes(frame))


def _boxes(frame: Any) -> Iterator[RawBox]:
    for label in CLASSES:
        polygon = np.asarray(frame[label], dtype=np.float64)
        if not polygon.size:
            continue
        points = polygon.reshape(len(polygon), 2)
        if len(points) < _CORNERS_OF_POLYGON:
            points = points[:1]  # a point or a line has no area: rule zero_area lists it
        (xmin, ymin), (xmax, ymax) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        yield RawBox(label=label, corners=(xmin, ymin, xmax, ymax))
