"""A dataset's own folder in scratch, for one conversion at a time."""

import contextlib
import fcntl
import hashlib
from collections.abc import Iterator
from pathlib import Path

from netwright.artifacts.lock_file import taken

_LAYOUT = 1  # raise it when what lies in the folder changes its form


@contextlib.contextmanager
def dataset_scratch(scratch: Path, source: Path, name: str) -> Iterator[Path]:
    """Yield the folder below ``scratch`` for the dataset ``name`` read from ``source``; it may be deleted at any time.

    Waits while another conversion of the dataset runs, as trials of a sweep do side by side.
    """
    key = hashlib.sha256(f"{_LAYOUT}\0{source.resolve()}\0{name}".encode("utf-8", "surrogateescape")).hexdigest()
    folder = scratch / "convert" / key[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        if not taken(lock):
            print(f"convert: another conversion of {name} runs in this project: this one waits for it", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
