"""Checkpoints of an unfinished training: tensors alone, each file whole, the newest that can be verified wins.

A checkpoint is one safetensors file, whose metadata holds the numbers, and beside it the SHA-256 of its bytes,
written last: a file without a matching sum was cut off or damaged, and the one before it is taken. Two are kept.
Nothing is ever unpickled.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from netwright.artifacts.whole_file import sha256_of, whole_file, write_text

KEPT = 2


class Snapshot(NamedTuple):
    """Tensors by name, and JSON values."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


class Checkpoints:
    """The checkpoints of one training in ``folder``, which belongs to that training alone (see its key)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, epoch: int, snapshot: Snapshot) -> None:
        """Write the state after ``epoch``; drop all but the newest KEPT, and later ones. Raises OSError (a full disk).

        Later ones are there where training began anew because they are damaged: they would push out those that follow.
        """
        path = self.folder / f"epoch-{epoch:06d}.safetensors"
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in snapshot.tensors.items()}
        with whole_file(path) as temporary:
            save_file(tensors, temporary, metadata={"facts": json.dumps(snapshot.facts)})
        write_text(_sum_of(path), sha256_of(path) + "\n")
        files = self._files()
        newest = files.index(path)
        for other in (*files[:newest], *files[newest + KEPT :]):
            _remove(other)

    def newest(self) -> Snapshot | None:
        """The newest checkpoint whose bytes are as they were written, or None."""
        return next(filter(None, map(_read, self._files())), None)

    def clear(self) -> None:
        """Remove every checkpoint: the training is over and its result safe."""
        for path in self._files():
            _remove(path)
        self.tidy()
        with contextlib.suppress(OSError):  # another's file in it, or it never was
            self.folder.rmdir()

    def tidy(self) -> None:
        """Remove what a kill left half written; only whoever has the folder alone may."""
        for path in self.folder.glob(".epoch-*"):
            path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("epoch-*.safetensors"), reverse=True)


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``tensors`` with ``prefix/`` before every name."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def without_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those of ``tensors`` that are called ``prefix/...``, by the rest of their names."""
    return {name[len(prefix) + 1 :]: tensor for name, tensor in tensors.items() if name.startswith(prefix + "/")}


def _read(path: Path) -> Snapshot | None:
    try:
        if _sum_of(path).read_text("utf-8").strip() != sha256_of(path):
            return None
        with safe_open(path, framework="pt") as stored:
            facts = json.loads(stored.metadata()["facts"])
            return Snapshot({name: stored.get_tensor(name) for name in _names(stored)}, facts)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return None


def _names(stored: Any) -> Iterator[str]:
    yield from stored.keys()  # not a dict


def _sum_of(path: Path) -> Path:
    return path.with_suffix(".sha256")


def _remove(path: Path) -> None:
    _sum_of(path).unlink(missing_ok=True)  # first: without it the file no longer counts
    path.unlink(missing_ok=True)
