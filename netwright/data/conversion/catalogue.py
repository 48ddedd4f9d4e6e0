"""What is known of every picture of a dataset, kept on disk between conversions: a SQLite table in scratch.

It may be lost at any time: then every picture is examined again. One conversion at a time writes it; its worker
processes read.
"""

import sqlite3
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from netwright.data.conversion.catalogue_row import COLUMNS, WHOLE, Row, unpack, unpack_offences
from netwright.data.conversion.examined import Examined, Offence
from netwright.errors import UserError
from netwright.types import SPLITS

_PUT = f"INSERT OR REPLACE INTO picture VALUES ({','.join('?' * len(COLUMNS))})"  # noqa: S608 question marks
_PICTURES = f"SELECT {WHOLE} FROM picture"  # noqa: S608 names of columns, our own
_FORM = zlib.crc32(repr(COLUMNS).encode()) >> 1  # SQLite keeps 31 bits for us
_BUSY = 30.0  # seconds that a reader waits for the writer to finish a commit


class Catalogue:
    """The pictures of one raw dataset. Use it in a ``with`` block; what was put is safe once ``save`` returns."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._base = _opened(path)

    def __enter__(self) -> "Catalogue":
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()

    def states(self) -> dict[str, bytes]:
        """The state of every picture by its name, as it was when it was examined."""
        return dict(self._base.execute("SELECT name, state FROM picture"))

    def put(self, rows: Iterable[Row]) -> None:
        """Add ``rows`` (see catalogue_row.pack), each in the place of an older one of the same name."""
        self._base.executemany(_PUT, rows)

    def remove(self, names: Iterable[str]) -> None:
        """Forget the pictures called ``names``."""
        self._base.executemany("DELETE FROM picture WHERE name = ?", ((name,) for name in names))

    def save(self) -> None:
        """Make what was put and removed durable."""
        self._base.commit()

    def rows(self, *columns: str, kept: bool = True) -> Iterator[tuple[Any, ...]]:
        """Yield ``columns`` of the pictures, by name; only of those that are kept, or of all."""
        where = "WHERE kept" if kept else ""
        query = f"SELECT {', '.join(columns)} FROM picture {where} ORDER BY name"  # noqa: S608 names of columns, our own
        return iter(self._base.execute(query))

    def line_digests(self, splits: Mapping[str, str]) -> Iterator[bytes]:
        """Yield the fingerprint's digest (32 bytes) of every kept picture, in its split of ``splits``."""
        starts = {split: 32 * place for place, split in enumerate(SPLITS)}
        for name, lines in self.rows("name", "lines"):
            start = starts[splits[name]]
            yield lines[start : start + 32]

    def offences(self) -> Iterator[Offence]:
        """Yield what was found, by the picture's name."""
        for (text,) in self._base.execute("SELECT offences FROM picture WHERE offences <> '' ORDER BY name"):
            yield from unpack_offences(text)

    def picture(self, name: str) -> bytes:
        """The encoded picture called ``name``. Raises KeyError or OSError where there is none."""
        row = self._base.execute("SELECT path, content FROM picture WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise KeyError(name)
        path, content = row
        return content if content is not None else Path(path).read_bytes()

    def state(self, name: str) -> bytes | None:
        """The state of the picture called ``name`` when it was examined; None where there is none."""
        row = self._base.execute("SELECT state FROM picture WHERE name = ?", (name,)).fetchone()
        return bytes(row[0]) if row else None

    def noted(self, key: str) -> str | None:
        """What was noted under ``key``, which tells of all that it was made of: a shard's, a thumbnail's."""
        row = self._base.execute("SELECT facts FROM note WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else None

    def note(self, key: str, facts: str) -> None:
        """Note ``facts`` under ``key``."""
        self._base.execute("INSERT OR REPLACE INTO note VALUES (?, ?)", (key, facts))

    def forget_notes(self, but: Collection[str]) -> None:
        """Forget what is noted ``but`` under these keys."""
        known = [key for (key,) in self._base.execute("SELECT key FROM note")]
        self._base.executemany("DELETE FROM note WHERE key = ?", ((key,) for key in known if key not in but))
        self.save()

    def examined(self, names: Sequence[str]) -> Iterator[Examined]:
        """Yield the pictures called ``names`` in that order."""
        for name in names:
            yield unpack(self._base.execute(f"{_PICTURES} WHERE name = ?", (name,)).fetchone())


def _opened(path: Path) -> sqlite3.Connection:
    """The tables in ``path``; a file that is no such database is made anew."""
    try:
        return _connected(path)
    except sqlite3.OperationalError as error:
        raise UserError(f"cannot use {path} ({error}): check the disk and its permissions") from None
    except sqlite3.DatabaseError:
        path.unlink()
        return _connected(path)


def _connected(path: Path) -> sqlite3.Connection:
    base = sqlite3.connect(path, timeout=_BUSY)
    base.execute("PRAGMA synchronous = NORMAL")
    if base.execute("PRAGMA user_version").fetchone()[0] != _FORM:  # its columns are others
        base.execute("DROP TABLE IF EXISTS picture")
        base.execute(f"PRAGMA user_version = {_FORM}")
    base.execute(f"CREATE TABLE IF NOT EXISTS picture ({', '.join(COLUMNS)})")
    base.execute("DROP TABLE IF EXISTS shard")  # of older versions
    base.execute("CREATE TABLE IF NOT EXISTS note (key TEXT PRIMARY KEY, facts TEXT)")
    base.commit()
    return base
