"""Walking a dataset's folders: thousands of files, links that lead away or in circles, names in odd encodings."""

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from netwright.data.formats.picture_files import is_unicode
from netwright.errors import UserError


def files_below(folder: Path, extensions: frozenset[str], *, border: Path) -> list[str]:
    """Paths below ``folder`` of the files with one of the lower-case ``extensions``, in any case; "/" between folders.

    Sorted; hidden files and macOS's ``__MACOSX`` are passed over; no file is opened. A link is followed where it stays
    inside the folder ``border`` and shows something new, so that no circle is walked. Raises UserError for a link
    that leads out of ``border``, a name that is not UTF-8, a folder that cannot be listed; [] where there is no folder.
    """
    root, limit = os.path.realpath(folder), os.path.realpath(border)
    seen, waiting, found = {root}, [("", root)], []
    refuse_outside(folder, border)
    if not folder.is_dir():
        return []
    while waiting:
        inner, place = waiting.pop()
        others = []  # links and folders: in order, for the first of two links to one folder is followed
        for entry in _entries(place, folder / inner):
            if entry.is_symlink() or entry.is_dir():
                others.append(entry)
            elif _ends_in(entry, extensions):
                found.append(inner + entry.name)
        for entry in sorted(others, key=lambda entry: entry.name):
            real = _real(entry, limit)
            if not entry.is_dir():
                if _ends_in(entry, extensions):
                    found.append(inner + entry.name)
            elif real not in seen and not (entry.is_symlink() and _is_below(real, root)):
                seen.add(real)
                waiting.append((f"{inner}{entry.name}/", real))
    return sorted(found)


def subfolders(folder: Path, *, border: Path) -> list[str]:
    """Names of the folders right below ``folder``, sorted, hidden ones left out. Raises UserError as files_below."""
    refuse_outside(folder, border)
    place, limit = os.path.realpath(folder), os.path.realpath(border)
    return sorted(entry.name for entry in _entries(place, folder) if _real(entry, limit) and entry.is_dir())


def visible_names(folder: Path) -> list[str]:
    """Names of all that lies right in ``folder``, sorted, without hidden ones and links to nothing."""
    return sorted(entry.name for entry in _entries(str(folder), folder))


def refuse_outside(path: Path, border: Path) -> None:
    """Raise UserError where links lead ``path`` out of the folder ``border``."""
    real = os.path.realpath(path)
    if not _is_below(real, os.path.realpath(border)):
        raise UserError(
            f"{path} is a link to {real}, outside the dataset's folder: copy the files there, "
            "or give dataset.source the folder that holds both"
        )


def state_of(path: str | Path) -> str:
    """Text that changes whenever the file does; "gone" where it has been removed.

    Archives may set the time of all that they hold, and a class's number may change without the size: when the file
    itself was made or written, no tool sets.
    """
    try:
        status = os.stat(path)  # noqa: PTH116 once for each of perhaps 100,000 labels
    except OSError:
        return "gone"
    return f"{status.st_mtime_ns}:{status.st_size}:{status.st_ino}:{status.st_ctime_ns}"


def stem_of(path: str) -> str:
    """``path`` without its extension, composed (NFC): macOS writes an accented letter as two characters."""
    stem = os.path.splitext(path)[0]  # noqa: PTH122 100,000 names
    return stem if stem.isascii() else unicodedata.normalize("NFC", stem)


def _entries(place: str, shown: Path) -> Iterator["os.DirEntry[str]"]:
    try:
        with os.scandir(place) as entries:
            listed = list(entries)
    except OSError as error:
        raise UserError(f"{shown} cannot be listed ({error.strerror}): mend its rights, or move it out") from None
    for entry in listed:
        name = entry.name
        if not (name.isascii() or is_unicode(name)):
            raise UserError(f"{shown} holds a name that is not UTF-8, {os.fsencode(name)!r}: rename it")
        if name[0] != "." and name != "__MACOSX" and not (entry.is_symlink() and _leads_nowhere(entry)):
            yield entry


def _ends_in(entry: "os.DirEntry[str]", extensions: frozenset[str]) -> bool:
    name = entry.name
    return name[name.rfind(".") :].lower() in extensions and entry.is_file()


def _leads_nowhere(entry: "os.DirEntry[str]") -> bool:
    """A link to nothing, or to itself."""
    return not os.path.exists(entry.path)  # noqa: PTH110 False for ELOOP, which entries raise


def _real(entry: "os.DirEntry[str]", limit: str) -> str:
    """Where ``entry`` of a real folder really lies."""
    if not entry.is_symlink():
        return entry.path
    refuse_outside(Path(entry.path), Path(limit))
    return os.path.realpath(entry.path)


def _is_below(real: str, root: str) -> bool:
    return real == root or real.startswith(root.rstrip("/") + "/")
