"""The members of a zip or tar file, one after the other, as their headers claim them: nothing is trusted yet."""

import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

from netwright.errors import UserError

PIECE = 2**20  # bytes read at a time
_BLOCK = 512  # of a tar file
DAMAGE = (  # what the readers raise for a damaged archive
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    ValueError,
    RecursionError,
    OverflowError,
    NotImplementedError,  # zipfile's for a compression or encryption that it does not know
)


@dataclass(frozen=True, kw_only=True)
class Member:
    """A file (``pieces`` yields its content) or a folder (it yields nothing) of an archive."""

    name: str
    is_folder: bool
    pieces: Callable[[], Iterator[bytes]]


@dataclass(kw_only=True)
class Progress:
    """How many bytes of the packed file have been read; ``advance`` hears of each step."""

    advance: Callable[[int], None]
    done: int = 0

    def reach(self, position: int) -> None:
        """Note that the packed file has been read up to ``position``."""
        if position > self.done:
            self.advance(position - self.done)
            self.done = position


def zip_members(path: Path, progress: Progress) -> Iterator[Member]:
    """Members of a zip file. Raises UserError for links, devices, encryption and unusual compression."""
    with zipfile.ZipFile(path) as archive:
        _check_count(path, archive)
        for info in archive.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise UserError(f"{path} holds {info.filename!r}, a link or a device: pack plain files only")
            if info.flag_bits & 1:
                raise UserError(f"{path} is encrypted: unpack it and give the folder as dataset.source")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise UserError(f"{path} is packed by other means than deflate: pack it anew, or unpack it yourself")
            opened = cast(Callable[[], IO[bytes]], partial(archive.open, info))
            is_folder = info.filename.endswith(("/", "\\"))
            yield Member(name=info.filename, is_folder=is_folder, pieces=partial(_read_pieces, opened))
            progress.reach(progress.done + info.compress_size)


def _check_count(path: Path, archive: zipfile.ZipFile) -> None:
    """A damaged length in the directory swallows the entries behind it, which zipfile does not notice."""
    end = 22 + len(archive.comment)
    with path.open("rb") as stream:
        stream.seek(-min(end + 76, path.stat().st_size), io.SEEK_END)
        tail = stream.read()
    large, small = tail[:-end], tail[-end:]
    stated, found = int.from_bytes(small[10:12], "little"), len(archive.infolist())
    if large.startswith(b"PK\x06\x06"):  # the record that counts more than 65535
        stated = int.from_bytes(large[32:40], "little")
    if stated not in (found, found % 65536):  # old packers count no further
        raise UserError(f"{path} is damaged: it says that it holds {stated} members, and {found} are found")


def tar_members(path: Path, progress: Progress, most_bytes: int) -> Iterator[Member]:
    """Members of a tar file, gzipped or not, of which at most ``most_bytes`` are unpacked.

    Raises UserError for links, devices and sparse files, and where the archive ends too early or grows too large.
    """
    with path.open("rb") as packed, _unzipped(packed) as stream:
        guarded = _GuardedStream(stream, path, most_bytes)
        archive: Any  # its stubs lack `members`
        with tarfile.open(fileobj=cast(Any, guarded), mode="r:") as archive:
            while (info := archive.next()) is not None:
                archive.members.clear()  # or it would remember every one
                if not (info.isreg() or info.isdir()) or info.issparse() or info.size < 0:
                    raise UserError(f"{path} holds {info.name!r}, a link, a device or a sparse file: pack plain files")
                opened = cast(Callable[[], IO[bytes]], partial(archive.extractfile, info))
                pieces = partial(_read_pieces, opened) if info.isreg() else partial(iter, ())
                yield Member(name=info.name, is_folder=info.isdir(), pieces=pieces)
                progress.reach(packed.tell())
        guarded.check_end()


def _read_pieces(opened: Callable[[], IO[bytes]]) -> Iterator[bytes]:
    with opened() as stream:
        while piece := stream.read(PIECE):
            yield piece


@contextmanager
def _unzipped(packed: IO[bytes]) -> Iterator[IO[bytes]]:
    magic = packed.read(2)
    packed.seek(0)
    if magic != b"\x1f\x8b":
        yield packed
        return
    with gzip.GzipFile(fileobj=packed) as stream:
        yield cast(IO[bytes], stream)


class _GuardedStream(io.RawIOBase):
    """The tar's own bytes: tarfile believes the sizes in headers, so no read or seek may be larger than is sane."""

    def __init__(self, stream: IO[bytes], path: Path, most_bytes: int) -> None:
        super().__init__()
        self._stream = stream
        self._path = path
        self._most_bytes = most_bytes
        self._last = b""

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= 2 * PIECE:
            raise UserError(f"{self._path} has a header of {size} bytes: it is damaged or made to do harm")
        self._last = self._stream.read(size)
        self._check(self._stream.tell())
        return self._last

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or position < 0:
            raise UserError(f"{self._path} has a header that leads backwards: it is damaged or made to do harm")
        self._check(position)
        return self._stream.seek(position)

    def tell(self) -> int:
        return self._stream.tell()

    def check_end(self) -> None:
        """A tar ends with a block of zeros, which tarfile does not insist on; a gzip ends with its checksum."""
        if len(self._last) != _BLOCK or any(self._last):
            raise UserError(f"{self._path} ends too early or is damaged: fetch it again")
        while self.read(PIECE):
            pass

    def _check(self, position: int) -> None:
        if position > self._most_bytes:
            raise UserError(f"{self._path} unpacks to more than {self._most_bytes} bytes: unpack it yourself")
