"""From the dataset section's values to a raw dataset: which format is it, and who reads it."""

from collections.abc import Mapping
from pathlib import Path

from netwright.data.formats import digits, voc
from netwright.data.raw import RawDataset
from netwright.errors import UserError

EMBEDDED = Path(__file__).parent / "embedded"
FORMATS = ("digits", "voc")


def load_raw(source: Path, format_name: str, *, scenes: Mapping[str, int], size: int, seed: int) -> RawDataset:
    """Read ``source`` as ``format_name``, one of FORMATS or ``auto``.

    ``scenes`` (count per split) and ``size`` (pixels) describe the embedded digits; ``seed`` draws them, and divides
    a dataset that has no split files. Raises UserError where the format is unknown or the source missing.
    """
    if not source.exists():
        raise UserError(f"dataset.source is {source}, which does not exist: put the dataset there, or a link to it")
    notes: tuple[str, ...] = ()
    if format_name == "auto":
        format_name, reason = detect_format(source)
        notes = (f"format {format_name} because {reason}",)
    raw = _read(source, format_name, scenes=scenes, size=size, seed=seed)
    return RawDataset(
        format=raw.format, classes=raw.classes, pictures=raw.pictures, count=raw.count, notes=notes + raw.notes
    )


def detect_format(source: Path) -> tuple[str, str]:
    """Return the format of ``source`` and why. Raises UserError where nothing fits."""
    if source.resolve().is_relative_to(EMBEDDED.resolve()):
        return "digits", f"{source} draws the embedded scenes"
    if (source / voc.LABELS).is_dir() and any((source / voc.LABELS).glob("*.xml")):
        return "voc", f"{source} has {voc.LABELS}/*.xml"
    raise UserError(
        f"dataset.format is auto, but {source} has no {voc.LABELS}/*.xml (voc): "
        f"check dataset.source or name the format ({', '.join(FORMATS)})"
    )


def _read(source: Path, format_name: str, *, scenes: Mapping[str, int], size: int, seed: int) -> RawDataset:
    if format_name == "digits":
        if not source.resolve().is_relative_to(EMBEDDED.resolve()):
            raise UserError(f"dataset.format is digits, but dataset.source is {source}: use netwright/data/embedded")
        return digits.load(scenes, size=size, seed=seed)
    if format_name == "voc":
        return voc.load(source, seed=seed)
    raise UserError(f"dataset.format is {format_name!r}: known are auto, {', '.join(FORMATS)}")
