"""From the dataset section's values to a raw dataset: which format is it, and who reads it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from netwright.data.conversion.raw import RawDataset
from netwright.data.formats import coco, egohands, kitti, voc, yolo
from netwright.data.formats.folders import subfolders, visible_names
from netwright.errors import UserError

EMBEDDED = Path(__file__).parents[1] / "embedded"
_DEEPEST = 8  # folders with one folder alone inside, as archives unpack to


class _Format(NamedTuple):
    detect: Callable[[Path], str]
    load: Callable[[Path], RawDataset]
    looked_for: str


_FOLDERS = {
    "coco": _Format(coco.detect, coco.load, "a *.json with images, annotations and categories"),
    "egohands": _Format(egohands.detect, egohands.load, f"{egohands.METADATA} beside {egohands.PICTURES}/"),
    "kitti": _Format(kitti.detect, kitti.load, kitti.LOOKED_FOR),
    "voc": _Format(voc.detect, voc.load, f"{voc.LABELS}/*.xml"),
    "yolo": _Format(yolo.detect, yolo.load, yolo.LOOKED_FOR),
}
FORMATS = ("digits", *_FOLDERS)


def load_raw(source: Path, format_name: str, *, scenes: Mapping[str, int], size: int, seed: int) -> RawDataset:
    """Read ``source`` as ``format_name``, one of FORMATS or ``auto``.

    ``scenes`` (count per split), ``size`` (pixels) and ``seed`` draw the embedded digits and are not used for other
    formats. Raises UserError where the format is unknown, or the source missing or of another format.
    """
    if not source.exists():
        raise UserError(f"dataset.source is {source}, which does not exist: put the dataset there, or a link to it")
    if format_name not in ("auto", *FORMATS):
        raise UserError(f"dataset.format is {format_name!r}: known are auto, {', '.join(FORMATS)}")
    if format_name == "auto":
        format_name, reason, source = detect_format(source)
        notes: tuple[str, ...] = (f"format {format_name}, because {reason}",)
    else:
        source, notes = _dataset_folder(source, format_name), ()
    if format_name == "digits":
        from netwright.data.formats import digits

        raw = digits.load(scenes, size=size, seed=seed)
    else:
        raw = _FOLDERS[format_name].load(source)
    return replace(raw, notes=notes + raw.notes)


def detect_format(source: Path) -> tuple[str, str, Path]:
    """Return the format of ``source``, why, and the folder where the dataset begins.

    A folder that holds nothing but one folder, as an unpacked archive often does, is entered. Raises UserError
    where no format fits, or more than one does.
    """
    if is_embedded(source):
        return "digits", "the source draws the embedded scenes", source
    for folder in _nested(source):
        found = {name: reason for name, format_ in _FOLDERS.items() if (reason := format_.detect(folder))}
        if len(found) > 1:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in found.items())
            raise UserError(f"dataset.format is auto, but {folder} may be {' or '.join(found)} ({reasons}): name one")
        for name, reason in found.items():
            inner = folder.relative_to(source).as_posix()
            return name, reason if inner == "." else f"in {inner}/ {reason}", folder
    looked_for = "; ".join(f"{name}: {format_.looked_for}" for name, format_ in _FOLDERS.items())
    raise UserError(f"dataset.format is auto, but {source} fits none: check dataset.source; looked for {looked_for}")


def _dataset_folder(source: Path, format_name: str) -> Path:
    """The folder where the dataset of a named format begins: ``source`` where nothing is recognised below it."""
    if format_name == "digits":
        if not is_embedded(source):
            raise UserError(f"dataset.format is digits, but dataset.source is {source}: use netwright/data/embedded")
        return source
    return next((folder for folder in _nested(source) if _FOLDERS[format_name].detect(folder)), source)


def _nested(source: Path) -> list[Path]:
    """``source`` and, before it, the folder inside where nothing else is there, and so on: the innermost first."""
    if not source.is_dir():
        raise UserError(f"dataset.source is {source}, a file: a folder is expected, or a zip or tar archive of one")
    folders = [source]
    while len(folders) < _DEEPEST and len(names := visible_names(folders[0])) == 1:
        if not subfolders(folders[0], border=source):
            break
        folders.insert(0, folders[0] / names[0])
    return folders


def is_embedded(source: Path) -> bool:
    """Whether ``source`` is the folder, or a file in it, that draws the embedded digits."""
    return source.resolve().is_relative_to(EMBEDDED.resolve())
