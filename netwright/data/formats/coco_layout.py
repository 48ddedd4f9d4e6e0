"""Where a COCO dataset keeps its JSON files and pictures, and which split each file is."""

import io
import os
import re
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path

from netwright.data.formats.coco_json import CocoFile
from netwright.data.formats.folders import stem_of
from netwright.data.formats.labelled_files import split_of
from netwright.types import SPLITS

ANNOTATIONS = "annotations"
_ROBOFLOW = "_annotations.coco.json"
_LISTS = tuple(re.compile(rb'"%s"\s*:\s*\[' % key) for key in (b"images", b"annotations", b"categories"))
_CHUNK, _OVERLAP = 1 << 20, 256  # bytes; a key and its bracket are nearer to each other than the overlap
_PROBES = 50  # pictures looked for, to tell in which folder they are


@dataclass(frozen=True, kw_only=True)
class Part:
    """One JSON file, its split ("" where no name tells it), the folder of its pictures, and what their names get."""

    file: CocoFile
    split: str
    pictures: Path
    prefix: str = ""


def json_files(folder: Path) -> list[Path]:
    """The files by COCO's own names, or else by Roboflow's, or else by what is in them."""
    own = sorted((folder / ANNOTATIONS).glob("instances_*.json"))
    roboflow = sorted([*folder.glob(_ROBOFLOW), *folder.glob(f"*/{_ROBOFLOW}")])
    others = (path for pattern in ("*.json", "*/*.json") for path in folder.glob(pattern))
    named = [path for path in own or roboflow if path.is_file()]
    return named or sorted(path for path in others if all(_lists(path)))


def read_part(folder: Path, path: Path) -> Part:
    """Read the file at ``path`` of the dataset in ``folder``. Raises UserError as CocoFile."""
    split = _split_of(path.stem) or ("" if path.parent == folder else _split_of(path.parent.name))
    file = CocoFile(path)
    return Part(file=file, split=split, pictures=_pictures_folder(folder, file, split))


def settle(folder: Path, parts: list[Part]) -> tuple[list[Part], list[str]]:
    """Decide what the splits found are worth, by the rules of all formats (labelled_files.settle); and notes."""
    shown = {id(part): part.file.path.relative_to(folder) for part in parts}
    bare = [part for part in parts if part.split and not part.file.boxes and not _lists(part.file.path)[1]]
    notes = [f"{shown[id(part)]} has no list of annotations and is left out" for part in bare]
    parts = [part for part in parts if part not in bare]
    found = [split for split in SPLITS if any(part.split == split for part in parts)]
    if len(found) == 1:
        notes.append(f"only {found[0]} is there, no other split: all pictures are divided anew")
    if len(found) < 2:
        return [replace(part, split="") for part in parts], notes
    notes += [f"{shown[id(part)]} is of no split and left out" for part in parts if not part.split]
    parts = [part for part in parts if part.split]
    if _share_names(parts):
        notes.append("splits use the same names: each name begins with its split")
        parts = [replace(part, prefix=f"{part.split}/") for part in parts]
    return parts, notes


def find_picture(folder: Path, name: str) -> Path:
    """The picture's file; also one with the extension in another case, or with letters composed otherwise.

    The path of the very name where there is none.
    """
    stem, extension = os.path.splitext(name)  # noqa: PTH122 of a name, not a path
    spellings = (name, stem + extension.lower(), stem + extension.upper())
    for candidate in (*spellings, *(unicodedata.normalize(form, name) for form in ("NFC", "NFD"))):
        if os.path.isfile(folder / candidate):  # noqa: PTH113 false, not an error, for a loop of links
            return folder / candidate
    return folder / name


def _lists(path: Path) -> tuple[bool, ...]:
    """Whether the file's text has a list of images, of annotations and of categories."""
    found = [False] * len(_LISTS)
    try:
        with path.open("rb") if path.is_file() else io.BytesIO() as file:
            rest = b""
            while (piece := file.read(_CHUNK)) and not all(found):
                text = rest + piece
                found = [was or bool(key.search(text)) for was, key in zip(found, _LISTS, strict=True)]
                rest = text[-_OVERLAP:]
    except OSError:
        return (False,) * len(_LISTS)
    return tuple(found)


def _split_of(text: str) -> str:
    """The split that one word of ``text`` names, "" for none or several."""
    found = {split_of(word) for word in re.split(r"[\W_]+", text)} - {""}
    return found.pop() if len(found) == 1 else ""


def _pictures_folder(folder: Path, file: CocoFile, split: str) -> Path:
    """The folder with most of the first pictures; the first of the usual ones where none has any."""
    words = [file.path.stem.removeprefix("instances_"), *{"val": ["val", "valid"]}.get(split, [split] if split else [])]
    usual = [file.path.parent] if file.path.name == _ROBOFLOW else []
    usual += [folder / inner / word for word in words for inner in ("", "images")]
    usual += [folder / "images", folder / "data", folder, file.path.parent, folder / "JPEGImages"]
    probes = [name for name in file.files.values() if name][:_PROBES]
    present = [place for place in usual if place.is_dir()]
    return max(present, key=lambda place: sum(find_picture(place, name).exists() for name in probes))


def _share_names(parts: list[Part]) -> bool:
    seen: dict[str, str] = {}
    names = ((stem_of(name), part.split) for part in parts for name in part.file.files.values() if name)
    return any(seen.setdefault(name, split) != split for name, split in names)
