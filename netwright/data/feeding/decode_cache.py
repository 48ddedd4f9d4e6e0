"""Decoded pictures on disk: one .npy file of uint8 pixels for each split and input size, mapped, never read whole.

An entry's name ends in a hash of everything that decides its pixels, so that an entry is right or is not found.
Files are written whole; whoever else wants the same entry waits. Entries used in the last hour stay; of the others
those used last, while all together take at most ``KEEP_BYTES`` and the disk has room for what is to be drawn.
"""

import contextlib
import errno
import fcntl
import hashlib
import io
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import features

from netwright.artifacts.dataset import Manifest
from netwright.artifacts.whole_file import whole_file
from netwright.data.feeding.drawing import Drawing

VERSION = 2  # to be raised whenever the same file gives other pixels; a test knows the present ones
KEEP_BYTES = 64 << 30
RECENT = 3600.0  # seconds: what was used since then belongs to a run, a part written before then to a killed one
IN_THE_GRAPH = ("dtype", "layout", "scale", "mean", "std")  # of InputSpec: they change nothing before the network


def cached_pixels(folder: Path, manifest: Manifest, drawing: Drawing) -> NDArray[np.uint8]:
    """The pixels of ``drawing`` (N, 3, H, W), read-only and mapped; drawn first where ``folder`` has them not.

    Raises OSError where the folder cannot be used or the disk is full.
    """
    path = folder / f"{drawing.split}-{entry_key(manifest, drawing)}.npy"
    pixels = _open(path, drawing.shape)
    if pixels is None:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(path) as locked:
            pixels = _open(path, drawing.shape)  # another process may have drawn them meanwhile
            if pixels is None:
                _remove_abandoned(folder, path.name if locked else "")
                _make_room(folder, drawing.size)
                _write(path, drawing)
                pixels = _open(path, drawing.shape)
    if pixels is None:
        raise OSError(errno.EIO, f"{path} is not what was written to it")
    with contextlib.suppress(OSError):  # a folder that is only read has no order of use
        os.utime(path)
    return pixels


def entry_key(manifest: Manifest, drawing: Drawing) -> str:
    """Hash of the dataset's content, the pictures and their order, the input's pixels, the libraries and this code."""
    spec = {name: value for name, value in asdict(drawing.spec).items() if name not in IN_THE_GRAPH}
    content = manifest.fingerprint or [shard.sha256 for shard in manifest.shards]
    libraries = [PIL.__version__, *map(features.version, ("libjpeg_turbo", "jpg", "webp")), version("torch")]
    facts = [VERSION, content, drawing.split, list(drawing.names), spec, libraries]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def _header(shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return stream.getvalue()


def _open(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    """The entry, mapped; None where there is none, or one of another size or header, which is not believed."""
    header = _header(shape)
    try:
        with path.open("rb") as stream:
            if os.fstat(stream.fileno()).st_size != len(header) + int(np.prod(shape)):
                return None
            if stream.read(len(header)) != header:
                return None
            return np.memmap(stream, dtype=np.uint8, mode="r", offset=len(header), shape=shape)
    except FileNotFoundError:
        return None


def _write(path: Path, drawing: Drawing) -> None:
    # written, not mapped: a full disk is then an error and not the end of the process
    with whole_file(path) as temporary, temporary.open("wb") as stream:
        start = stream.write(_header(drawing.shape))
        for places, block in drawing.blocks():
            for place, pixels in zip(places, block, strict=True):
                stream.seek(start + place * pixels.nbytes)
                stream.write(pixels.data)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Let one process at a time draw an entry; False where the file system has no locks.

    There each draws its own, and the last one stays.
    """
    with path.with_suffix(".lock").open("w") as stream:
        locked = False
        with contextlib.suppress(OSError):
            fcntl.flock(stream, fcntl.LOCK_EX)
            locked = True
        yield locked


def _remove_abandoned(folder: Path, locked: str) -> None:
    """Remove what killed processes left of the entry that is ``locked``, and of any other after an hour."""
    for left in folder.glob(".*.npy.*"):
        with contextlib.suppress(FileNotFoundError):
            if left.name.startswith(f".{locked}.") or _is_old(left.stat().st_mtime):
                left.unlink()


def _make_room(folder: Path, size: int) -> None:
    """Remove entries that are not kept. Raises OSError where the disk then still lacks ``size`` bytes."""
    entries = sorted(_entries(folder), reverse=True)
    while entries and _is_old(entries[-1][0]) and not _has_room(folder, size, entries):
        _, _, stale = entries.pop()
        stale.unlink(missing_ok=True)
        stale.with_suffix(".lock").unlink(missing_ok=True)
    if shutil.disk_usage(folder).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _is_old(moment: float) -> bool:
    return time.time() - moment > RECENT


def _has_room(folder: Path, size: int, entries: Sequence[tuple[float, int, Path]]) -> bool:
    kept = sum(length for _, length, _ in entries) + size
    return kept <= KEEP_BYTES and shutil.disk_usage(folder).free >= size


def _entries(folder: Path) -> Iterator[tuple[float, int, Path]]:
    """When each entry was used last, its bytes and its file."""
    for path in folder.glob("*.npy"):
        with contextlib.suppress(FileNotFoundError):
            status = path.stat()
            yield status.st_mtime, status.st_size, path
