"""Shard files where they lie: is one still what was written, and how new ones come into the converted dataset."""

import errno
import shutil
from collections.abc import Mapping
from pathlib import Path

from netwright.artifacts.dataset import Shard
from netwright.artifacts.whole_file import sha256_of, whole_file


def mark_of(path: Path) -> list[int]:
    """Size, time and inode: another mark, and the file has to be read to know what it holds."""
    facts = path.stat()
    return [facts.st_size, facts.st_mtime_ns, facts.st_ino]


def sound_shard(shard: Shard, mark: list[int], stored: Path, placed: Path) -> Path | None:
    """Where ``shard``, noted with ``mark``, lies: ``stored`` or ``placed``; None where it is neither.

    What lies in the store's place and is something else is removed: nothing else of that name is ever placed.
    """
    if _holds(stored, shard, mark):
        return stored
    stored.unlink(missing_ok=True)
    return placed if _holds(placed, shard, mark) else None


def place_shards(files: Mapping[str, str], store: Path, folder: Path) -> None:
    """Leave nothing in ``folder`` but the shards ``files`` (key to file name), moved there from ``store`` if new.

    The store is empty afterwards.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {file for key, file in files.items() if not (store / key).exists()}
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name not in wanted or path.is_symlink():
            path.unlink()
    for path in store.iterdir():
        if path.name in files:
            _move(path, folder / files[path.name])
        else:
            path.unlink()


def _holds(path: Path, shard: Shard, mark: list[int]) -> bool:
    """Whether ``path`` is the shard's file. A copy, as DVC makes where it checks out, has another mark and is read."""
    if path.is_symlink() or not path.is_file():
        return False
    found = mark_of(path)
    return found == mark or (found[0] == mark[0] and sha256_of(path) == shard.sha256)


def _move(source: Path, target: Path) -> None:
    try:
        _rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with whole_file(target) as temporary:
            shutil.copyfile(source, temporary)
        source.unlink()


def _rename(source: Path, target: Path) -> None:
    source.replace(target)
