"""Picture files of a dataset: which they are, what they are called, and names that must stay inside their folder."""

from pathlib import Path, PurePosixPath

from netwright.errors import UserError

EXTENSIONS = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
_LONGEST = 255  # bytes of a file name, on every usual file system
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
    return next((extension for mark, extension in _SIGNATURES.items() if image.startswith(mark)), ".jpg")


def inside(text: str, where: str) -> str:
    r"""Return ``text`` as a path below a folder, "/" separated; a Windows "\\" is taken for "/".

    Raises UserError, which says ``where`` the name stands, for an absolute path, a drive letter, "..", an empty name
    or characters that no file name can hold.
    """
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


def write_picture(folder: Path, name: str, image: bytes) -> str:
    """Write ``image`` unchanged as ``name`` and its usual extension below ``folder``; return that file name.

    Raises UserError for a name that leads out of the folder.
    """
    file_name = inside(name + extension_of(image), "the dataset")
    path = folder / file_name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(image)
    return file_name
