"""Where a stage's unfinished training is kept, under a key of all that decides its outcome."""

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netwright.artifacts.dataset import MANIFEST
from netwright.artifacts.model import ARCHITECTURE, WEIGHTS
from netwright.artifacts.whole_file import sha256_of
from stages._training.alone import IN_SWEEP, alone, if_free, in_use

if TYPE_CHECKING:
    from netwright.training.checkpoints import Checkpoints

FOLDER = "checkpoints"
KEPT = 3  # unfinished trainings of one stage; of the others those leave that nobody touched lately
RECENT = 86400.0  # seconds: a sweep that was cut off may have left many, and takes all of them up again
_CODE = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def resumable(
    stage: str, *, settings: Sequence[Any], data: Path, source: Path, device: str, processes: int, scratch: Path
) -> Iterator["Checkpoints"]:
    """Hold the checkpoints of ``stage`` for these settings, dataset and start network, alone.

    They are removed when the block ends well, that is when the results are written; after a kill or an error they
    stay, and the same call finds them. While another run trains exactly this, a trial of a sweep waits; for a run by
    hand UserError is raised.
    """
    from netwright.training.checkpoints import Checkpoints

    inputs = [data / MANIFEST, source / WEIGHTS, source / ARCHITECTURE]
    folder = scratch / FOLDER / f"{stage}-{_key(settings, inputs, device, processes)}"
    refusal = f"{stage}: another run trains exactly this"
    with alone(folder.with_suffix(".lock"), refusal, waits=IN_SWEEP in os.environ):
        checkpoints = Checkpoints(folder)
        checkpoints.tidy()
        _forget(folder, stage)
        yield checkpoints
        checkpoints.clear()


def _key(settings: Sequence[Any], inputs: Sequence[Path], device: str, processes: int) -> str:
    """Equal keys mean equal outcomes: values, inputs, code, torch, kind and number of devices."""
    import torch

    said = {
        "settings": [asdict(section) for section in settings],
        "inputs": [sha256_of(path) for path in inputs],
        "code": _code_hash(),
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "processes": processes,
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def _code_hash() -> str:
    digest = hashlib.sha256()
    for package in ("netwright", "stages"):
        for path in sorted((_CODE / package).rglob("*.py")):
            digest.update(path.relative_to(_CODE).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _forget(current: Path, stage: str) -> None:
    """Trainings that were given up must not fill the disk; those at work elsewhere, as in a sweep, are not.

    The lock files stay: a lock on a file that is no longer there would be none.
    """
    others = [path for path in current.parent.glob(f"{stage}-*") if path.is_dir() and path != current]
    others = [path for path in others if not in_use(path.with_suffix(".lock"))]
    for path in sorted(others, key=_touched, reverse=True)[KEPT - 1 :]:
        with if_free(path.with_suffix(".lock")) as free:
            if free and time.time() - _touched(path) > RECENT:
                shutil.rmtree(path, ignore_errors=True)


def _touched(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:  # another process removed it meanwhile
        return 0.0
