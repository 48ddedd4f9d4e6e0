"""A dataset given as a zip or tar file: unpacked once into scratch, trusting nothing that it says.

No member leaves the target; links, devices, names that differ by case alone, and archives that unpack to far more than
they hold are refused. What macOS adds beside the files (``__MACOSX``, ``._name``, ``.DS_Store``) is left out.
"""

import contextlib
import fcntl
import hashlib
import shutil
import tempfile
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from netwright.data.archives.archive_members import DAMAGE, Member, Progress, tar_members, zip_members
from netwright.data.formats.picture_files import inside
from netwright.errors import UserError

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
_DEEPEST = 64  # folders inside each other
_ENTRY = 512  # bytes that a member counts beside its content: it costs the disk something, and a tar its header
_TAR_OVERHEAD = 2**11  # bytes of headers and padding that a member takes beside its content, at most


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Most bytes that may be unpacked, most members, and how many times its own size an archive may unpack to.

    The ratio counts from ``small`` bytes on.
    """

    most_bytes: int = 2**40
    members: int = 5_000_000
    ratio: int = 200
    small: int = 2**26


def open_source(
    path: Path, scratch: Path, *, limits: Limits | None = None, advance: Callable[[int], None] = lambda _: None
) -> Path:
    """Return the folder of the dataset at ``path``: itself, or what the archive there unpacks to below ``scratch``.

    An archive is unpacked anew when its time or size changes; the unpacked files get new times then, so that nothing
    known of the old ones is taken for theirs. A single folder at the archive's top is entered. ``advance`` hears how
    many more of the archive's bytes have been read. Raises UserError for anything else, and for an archive that
    is damaged, unsafe or too large: nothing of it is left then.
    """
    if path.is_dir():
        return path
    if not path.is_file():
        raise UserError(f"dataset.source is {path}, which does not exist: put the dataset there, or a link to it")
    if not path.name.lower().endswith(SUFFIXES):
        raise UserError(f"dataset.source is {path}: give a folder or one of {', '.join(SUFFIXES)}")
    found = path.stat()
    home = (
        scratch / "unpacked" / hashlib.sha256(str(path.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    )
    place = home / f"{found.st_mtime_ns}-{found.st_size}"
    with _locked(home):
        if not place.is_dir():
            _clear(home)
            _unpack_whole(path, place, limits or Limits(), advance)
    return _enter(place)


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Two runs unpack one archive one after the other: the second finds it done."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _clear(home: Path) -> None:
    """Remove what the archive held before, and what a killed run left."""
    for old in home.iterdir():
        if old.is_dir():
            shutil.rmtree(old)


def _unpack_whole(path: Path, place: Path, limits: Limits, advance: Callable[[int], None]) -> None:
    temporary = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=place.parent))
    try:
        _Unpacking(path, temporary, limits).run(advance)
        temporary.rename(place)
    except DAMAGE as error:
        raise UserError(
            f"{path} is damaged or no archive ({str(error) or type(error).__name__}): fetch or pack it again"
        ) from None
    except OSError as error:  # a full disk, a name that the file system refuses
        raise UserError(f"{path} cannot be unpacked into {place.parent} ({error.strerror or error})") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


class _Unpacking:
    """One archive on its way into ``target``, an empty folder of ours."""

    def __init__(self, path: Path, target: Path, limits: Limits) -> None:
        self._path = path
        self._target = target
        self._limits = limits
        self._room = shutil.disk_usage(target).free
        self._packed = path.stat().st_size
        self._files: set[bytes] = set()
        self._bytes = 0

    def run(self, advance: Callable[[int], None]) -> None:
        """Write every member. Raises UserError for the first that may not be."""
        for count, member in enumerate(self._members(Progress(advance=advance)), 1):
            if count > self._limits.members:
                raise UserError(f"{self._path} holds more than {self._limits.members} members: unpack it yourself")
            self._write(member)
        if not self._files:
            raise UserError(f"{self._path} holds no file: check dataset.source")

    def _members(self, progress: Progress) -> Iterator[Member]:
        if self._path.name.lower().endswith(".zip"):
            return zip_members(self._path, progress)
        most = self._limits.most_bytes + _TAR_OVERHEAD * self._limits.members
        return tar_members(self._path, progress, most)

    def _write(self, member: Member) -> None:
        parts = [part for part in member.name.replace("\\", "/").split("/") if part not in ("", ".")]
        if member.name.startswith(("/", "\\")) or parts:
            parts = inside(member.name, str(self._path)).split("/")
        self._count(_ENTRY)
        if not parts or _is_litter(parts):
            return
        if len(parts) > _DEEPEST:
            raise UserError(f"{self._path} holds more than {_DEEPEST} folders inside each other: pack it flatter")
        place = self._target.joinpath(*parts)
        try:
            if member.is_folder:
                place.mkdir(parents=True, exist_ok=True)
                return
            place.parent.mkdir(parents=True, exist_ok=True)
            self._write_file(member, place, "/".join(parts))
        except (FileExistsError, NotADirectoryError):
            raise UserError(f"{self._path} holds {member.name!r} as a file and as a folder: pack it again") from None

    def _write_file(self, member: Member, place: Path, name: str) -> None:
        same = unicodedata.normalize("NFC", name).casefold().encode()
        key = hashlib.blake2b(same, digest_size=16).digest()
        if key in self._files:
            raise UserError(f"{self._path} holds {name!r} twice, or by names that differ in case alone: rename one")
        self._files.add(key)
        with place.open("xb") as stream:
            for piece in member.pieces():
                self._count(len(piece))
                stream.write(piece)

    def _count(self, size: int) -> None:
        self._bytes += size
        if self._bytes > self._limits.most_bytes:
            raise UserError(f"{self._path} unpacks to more than {self._limits.most_bytes} bytes: unpack it yourself")
        if self._bytes > self._limits.small and self._bytes > self._limits.ratio * self._packed:
            raise UserError(
                f"{self._path} unpacks to more than {self._limits.ratio} times its size, as no dataset does: "
                "if it is one, unpack it yourself and give the folder as dataset.source"
            )
        if self._bytes > self._room:
            raise UserError(f"{self._path} unpacks to more than the {self._room} bytes free at {self._target.parent}")


def _is_litter(parts: list[str]) -> bool:
    return "__MACOSX" in parts or any(part.startswith("._") or part == ".DS_Store" for part in parts)


def _enter(folder: Path) -> Path:
    entries = list(folder.iterdir())
    return entries[0] if len(entries) == 1 and entries[0].is_dir() else folder
