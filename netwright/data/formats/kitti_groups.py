"""Which pictures of a KITTI dataset were taken in one drive: neighbours in time that no split may part."""

import json
from pathlib import Path

from netwright.data.formats.folders import refuse_outside
from netwright.data.formats.label_text import read_text
from netwright.errors import UserError

_SEQUENCES = "kitti_seq_to_map.json"
_MAPPINGS = ("mapping", "devkit/mapping", "devkit_object/mapping")
_ORDER, _FRAMES = "train_rand.txt", "train_mapping.txt"


def read_groups(folder: Path) -> dict[str, str]:
    """Return the group of each picture's name, {} where ``folder`` says nothing.

    TAO's ``kitti_seq_to_map.json`` maps sequences to frames. The benchmark's development kit has two files in
    ``mapping/``: the number i (from 0) of ``train_rand.txt``, between commas, is the line (from 1) of
    ``train_mapping.txt`` with the date, drive and frame of picture i. Raises UserError for a broken file.
    """
    if (folder / _SEQUENCES).is_file():
        return _sequences(folder, folder / _SEQUENCES)
    for place in _MAPPINGS:
        order, frames = folder / place / _ORDER, folder / place / _FRAMES
        if order.is_file() and frames.is_file():
            return _drives(folder, order, frames)
    return {}


def _sequences(folder: Path, path: Path) -> dict[str, str]:
    refuse_outside(path, folder)
    try:
        sequences = json.loads(read_text(path, _SEQUENCES))
        return {str(frame): str(sequence) for sequence, frames in sequences.items() for frame in frames}
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise UserError(f"{_SEQUENCES} is not a map of sequences to frames ({error}): repair or remove it") from None


def _drives(folder: Path, order: Path, frames: Path) -> dict[str, str]:
    refuse_outside(order, folder)
    refuse_outside(frames, folder)
    try:
        drives = [line.split()[1] if line.strip() else "" for line in read_text(frames, _FRAMES).split("\n")]
        lines = [int(number) for number in read_text(order, _ORDER).split(",") if number.strip()]
        if not all(0 < line <= len(drives) for line in lines):
            raise ValueError(f"a line beyond the {len(drives)} of {_FRAMES}")  # noqa: TRY301
    except (ValueError, IndexError) as error:
        raise UserError(f"{_ORDER} and {_FRAMES} do not tell the drives ({error}): restore or remove them") from None
    return {f"{picture:06d}": drives[line - 1] for picture, line in enumerate(lines)}
