"""Picture files of a dataset: which they are, what they are called, and names that must stay inside their folder."""

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from netwright.artifacts.dataset import Record
from netwright.errors import UserError

EXTENSIONS = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
_LONGEST = 255  # bytes of a file name, on every usual file system
_PLAIN = re.compile(r"\w[\w.-]*(/\w[\w.-]*)*", re.ASCII)  # names that every file system takes as they are
_JPEG = b"\xff\xd8"
_SIGNATURES = {
    b"\x89PNG": ".png",
    b"BM": ".bmp",
    b"GIF8": ".gif",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
    b"RIFF": ".webp",
}


def extension_of(image: bytes) -> str:
    """The usual extension of an encoded picture, by its first bytes; ".jpg" where they say nothing else."""
    if image.startswith(_JPEG):
        return ".jpg"
    return next((extension for mark, extension in _SIGNATURES.items() if image.startswith(mark)), ".jpg")


def inside(text: str, where: str) -> str:
    r"""Return ``text`` as a path below a folder, "/" separated; a Windows "\\" is taken for "/".

    Raises UserError, which says ``where`` the name stands, for an absolute path, a drive letter, "..", an empty name
    or characters that no file name can hold.
    """
    if len(text) <= _LONGEST and _PLAIN.fullmatch(text):
        return text
    parts = PurePosixPath(text.replace("\\", "/")).parts
    drive = bool(parts) and len(parts[0]) == 2 and parts[0][1] == ":"
    leads_out = not parts or drive or parts[0].startswith("/") or ".." in parts
    if leads_out or "\0" in text or not is_unicode(text) or any(len(part.encode()) > _LONGEST for part in parts):
        text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
        raise UserError(f"{where} names the file {text!r}: a path below the dataset's own folder is expected")
    return "/".join(parts)


def is_unicode(text: str) -> bool:
    """False for text that UTF-8 cannot hold: half of a surrogate pair, a file name in an older encoding."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, kw_only=True)
class PlacedRecord(Record):
    """A record whose picture is already in the output, under the name that ``write_picture`` would give it."""

    file_name: str


def write_picture(folder: Path, record: Record) -> str:
    """Write the record's picture unchanged as its name and usual extension below ``folder``; return that file name.

    Raises UserError for a name that leads out of the folder.
    """
    if isinstance(record, PlacedRecord):
        return record.file_name
    file_name = inside(record.name + extension_of(record.image), "the dataset")
    path = f"{folder}/{file_name}"
    make_folder(os.path.dirname(path))  # noqa: PTH120 100,000 pictures
    Path(path).write_bytes(record.image)
    return file_name


def make_folder(folder: str) -> None:
    """Make ``folder`` and all above it, where they are not there."""
    if not os.path.isdir(folder):  # noqa: PTH112 sooner than to fail making it
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103
