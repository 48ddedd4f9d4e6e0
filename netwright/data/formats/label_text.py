"""Label files that are plain text: encodings, line ends, numbers."""

import codecs
import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from netwright.errors import UserError

LARGEST = 1 << 23  # bytes; a line a box, so far above 50,000 boxes
_LONGEST = 200  # characters of a class name


def read_lines(path: str | Path, shown: str) -> Iterator[tuple[int, str]]:
    """Yield (number from 1, text) of every line that is not blank, stripped.

    UTF-8 (a byte order mark is passed over) or UTF-16 with its mark, else Latin-1, in which every byte is a letter.
    Any line end. Raises UserError, which calls the file ``shown``, where it is missing, binary or above LARGEST bytes.
    """
    for number, line in enumerate(read_text(path, shown).split("\n"), start=1):
        if stripped := line.strip():
            yield number, stripped


def read_text(path: str | Path, shown: str) -> str:
    """The file's text with Unix line ends: see read_lines for encodings and errors."""
    text = _decode(_read(path, shown))
    if "\0" in text:
        raise UserError(f"{shown} is not text: replace it, or remove it and its picture")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def write_lines(lines: Iterable[str], path: Path) -> None:
    """Write ``lines`` as UTF-8, each ended by a line feed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8", newline="\n")


def check_class(name: str, where: str) -> str:
    """Return the class name, stripped. Raises UserError for an empty or overlong one, or control characters."""
    stripped = name.strip()
    if not is_class(stripped):
        raise UserError(
            f"{where} has {quote(name)} for a class name: up to {_LONGEST} printable characters are expected"
        )
    return stripped


@lru_cache(maxsize=10_000)
def is_class(name: str) -> bool:
    """Whether ``name``, stripped, can be a class's."""
    return 0 < len(name) <= _LONGEST and name.isprintable()


def quote(line: str) -> str:
    """``line`` for a message: at most 60 characters, quoted, control characters escaped."""
    return repr(line if len(line) <= 60 else line[:57] + "...")


def _read(path: str | Path, shown: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as stream:  # noqa: PTH123 Path.open costs more than the reading
            size = os.fstat(stream.fileno()).st_size
            content = stream.read(min(size, LARGEST) + 1)
    except OSError as error:
        raise UserError(f"{shown} cannot be read ({error.strerror}): restore it, or remove it") from None
    if len(content) > LARGEST:
        raise UserError(f"{shown} has more than {LARGEST >> 20} MiB: no label file is as long")
    return content


def _decode(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    try:
        return content.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")
