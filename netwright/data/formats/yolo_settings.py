"""``data.yaml`` of a YOLO dataset, as Ultralytics and Roboflow write it, and the lists of class names of Darknet."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from netwright.data.formats.folders import refuse_outside, visible_names
from netwright.data.formats.label_text import check_class, quote, read_lines, read_text
from netwright.data.formats.picture_files import inside
from netwright.errors import UserError
from netwright.types import SPLITS

_KEYS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
_LARGEST = 1 << 18  # bytes; 20,000 named classes
_USUAL = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")

Entries = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a dataset says of itself.

    ``names`` are the classes in order, () where nothing names them. ``entries`` map a split to folders or to .txt
    files that list pictures, all inside the dataset. ``keypoints`` are the numbers that follow a box in each line.
    """

    file: str = ""
    names: tuple[str, ...] = ()
    entries: Entries = ()
    keypoints: int = 0
    notes: tuple[str, ...] = ()


def read_settings(folder: Path) -> Settings:
    """Read the YAML file of ``folder``, or the list of class names there. Raises UserError for one that is broken."""
    path = settings_file(folder)
    if path is None:
        return _listed_names(folder)
    value = _read_yaml(path)
    names, notes = _names(value, path.name)
    entries, more = _entries(folder, value, path.name)
    return Settings(
        file=path.name, names=names, entries=entries, keypoints=_keypoints(value, path.name), notes=(*notes, *more)
    )


def settings_file(folder: Path) -> Path | None:
    """The YAML file with names or nc: data.yaml, or the first by name. Raises UserError for a broken data.yaml."""
    paths = [folder / name for name in visible_names(folder)]
    files = [path for path in paths if path.suffix.lower() in (".yaml", ".yml") and path.is_file()]
    usual = [path for wanted in _USUAL for path in files if path.name.lower() == wanted]
    for path in dict.fromkeys(usual + files):
        try:
            value = _read_yaml(path)
        except UserError:
            if path in usual:
                raise
        else:  # other tools keep YAML files, too
            if "names" in value or "nc" in value:
                return path
    return None


def _read_yaml(path: Path) -> dict[str, Any]:
    refuse_outside(path, path.parent)
    if path.stat().st_size > _LARGEST:
        raise UserError(f"{path} has more than {_LARGEST >> 10} KiB: no list of classes is as long")
    try:
        # BaseLoader makes texts, lists and maps alone, whatever a tag asks for: less than safe_load, to which a class
        # called "no" would be False
        value = yaml.load(read_text(path, str(path)), Loader=yaml.BaseLoader)  # noqa: S506 no object can be made
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UserError(f"{path} is not readable YAML ({error}): repair it") from None
    if not isinstance(value, dict):
        raise UserError(f"{path} is not a map with names, train and val: repair it")
    return value


def _names(value: dict[str, Any], file: str) -> tuple[tuple[str, ...], list[str]]:
    names: Any = value.get("names")
    notes: list[str] = []
    if not names:
        count = _count(value["nc"], file) if "nc" in value else 0
        return tuple(str(number) for number in range(count)), [f"{file} names no classes: they are called by number"]
    if isinstance(names, dict):
        names, notes = _numbered(names, file)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f"names in {file} is neither a list of texts nor a map of numbers to texts: repair it")
    names = [check_class(name, f"names in {file}") for name in names]
    if "nc" in value and _count(value["nc"], file) != len(names):
        raise UserError(f"{file} says nc: {value['nc']}, but names {len(names)} classes: make them agree")
    return tuple(names), notes


def _numbered(names: dict[str, Any], file: str) -> tuple[list[Any], list[str]]:
    numbered = {_count(number, file): name for number, name in names.items()}
    size = max(numbered) + 1
    gaps = [number for number in range(size) if number not in numbered]
    notes = [f"{file} has no name for the classes {', '.join(map(str, gaps[:10]))}: called by number"] if gaps else []
    return [numbered.get(number, str(number)) for number in range(size)], notes


def _count(text: Any, file: str) -> int:
    if not (isinstance(text, str) and re.fullmatch(r"\d{1,5}", text)):
        raise UserError(f"{file} has {_shown(text)} where the number of a class or of classes belongs: repair it")
    return int(text)


def _shown(value: Any) -> str:
    """``value`` for a message; of lists and maps, which may be endless, the kind alone."""
    return quote(value) if isinstance(value, str) else f"a {type(value).__name__}"


def _keypoints(value: dict[str, Any], file: str) -> int:
    shape = value.get("kpt_shape")
    if not shape:
        return 0
    if not isinstance(shape, list) or len(shape) != 2:
        raise UserError(f"kpt_shape in {file} is {_shown(shape)}: two numbers are expected")
    return _count(shape[0], file) * _count(shape[1], file)


def _entries(folder: Path, value: dict[str, Any], file: str) -> tuple[Entries, list[str]]:
    base, notes = _base(folder, value.get("path"), file)
    found: dict[str, tuple[str, ...]] = {}
    for split in SPLITS:
        entry: Any = next((value[key] for key in _KEYS[split] if value.get(key)), [])
        texts = entry if isinstance(entry, list) else [entry]
        if not all(isinstance(text, str) for text in texts):
            raise UserError(
                f"{split} in {file} is {_shown(entry)}: a folder, a .txt file or a list of them is expected"
            )
        found_places = [_entry(folder, base, text, f"{split} in {file}") for text in texts if text]
        places = tuple(place for place in found_places if place is not None)
        if split == "test" and len(places) < len(found_places):  # named by exporters even where there is none
            notes.append(f"test in {file} is not there and ignored")
        elif len(places) < len(found_places):
            raise UserError(
                f"{split} in {file} is {_shown(entry)}, which is not in {folder}: put it there or unlist it"
            )
        if earlier := next((other for other, known in found.items() if places and known == places), None):
            notes.append(f"{file} gives {split} the same pictures as {earlier}: {split} is ignored")
        elif places:
            found[split] = places
    return tuple(found.items()), notes


def _base(folder: Path, text: Any, file: str) -> tuple[str, list[str]]:
    """The folder, inside the dataset, that entries are relative to: ``path`` is often another machine's."""
    if not isinstance(text, str) or text.strip("./\\ ") == "":
        return "", []
    try:
        base = inside(text, f"path in {file}")
    except UserError:
        base = ""
    if base and os.path.isdir(folder / base):  # noqa: PTH112 as below
        return base, []
    return "", [
        f"path in {file} is {quote(text)}, no folder inside the dataset: entries are taken from {file}'s own folder"
    ]


def _entry(folder: Path, base: str, text: str, where: str) -> str | None:
    """``text`` inside the dataset, None where nothing is there.

    Roboflow writes ``../train/images`` for a folder beside its data.yaml.
    """
    shorter = re.sub(r"^(\.{1,2}/)+", "", text.strip().replace("\\", "/"))
    if shorter in ("", "."):
        return base
    place = inside(shorter, where)
    candidates = (f"{base}/{place}" if base else place, place)
    # False, not an error, for a name that is too long
    return next((path for path in candidates if os.path.exists(folder / path)), None)  # noqa: PTH110


def _listed_names(folder: Path) -> Settings:
    """Class names of ``classes.txt`` or Darknet's ``*.names``, one a line."""
    for place in (folder, folder / "labels"):
        for pattern in ("classes.txt", "*.names", "_darknet.labels"):
            for path in filter(Path.is_file, sorted(place.glob(pattern))):
                refuse_outside(path, folder)
                names = tuple(check_class(line, path.name) for _, line in read_lines(path, path.name))
                return Settings(file=path.name, names=names, notes=(f"classes are named by {path.name}",))
    return Settings(notes=("no data.yaml, classes.txt or *.names: classes are called by their numbers",))
