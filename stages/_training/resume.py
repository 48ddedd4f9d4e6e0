"""Where a stage's unfinished training is kept, under a key of all that decides its outcome."""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netwright.artifacts.dataset import MANIFEST
from netwright.artifacts.model import ARCHITECTURE, WEIGHTS
from netwright.artifacts.whole_file import sha256_of
from stages._training.alone import alone, in_use

if TYPE_CHECKING:
    from netwright.training.checkpoints import Checkpoints

FOLDER = "checkpoints"
KEPT = 3  # unfinished trainings of one stage; the least recently touched leave
_CODE = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def resumable(
    stage: str, *, settings: Sequence[Any], data: Path, source: Path, device: str, scratch: Path
) -> Iterator["Checkpoints"]:
    """Hold the checkpoints of ``stage`` for these settings, dataset and start network, alone.

    They are removed when the block ends well, that is when the results are written; after a kill or an error they
    stay, and the same call finds them. Raises UserError while another run trains exactly this.
    """
    from netwright.training.checkpoints import Checkpoints

    inputs = [data / MANIFEST, source / WEIGHTS, source / ARCHITECTURE]
    folder = scratch / FOLDER / f"{stage}-{_key(settings, inputs, device)}"
    with alone(folder.with_suffix(".lock"), f"{stage}: another run trains exactly this"):
        checkpoints = Checkpoints(folder)
        _forget(folder, stage)
        yield checkpoints
        checkpoints.clear()


def _key(settings: Sequence[Any], inputs: Sequence[Path], device: str) -> str:
    """Equal keys mean equal outcomes: values, inputs, code, torch and kind of device."""
    import torch

    said = {
        "settings": [asdict(section) for section in settings],
        "inputs": [sha256_of(path) for path in inputs],
        "code": _code_hash(),
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def _code_hash() -> str:
    digest = hashlib.sha256()
    for package in ("netwright", "stages"):
        for path in sorted((_CODE / package).rglob("*.py")):
            digest.update(path.relative_to(_CODE).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _forget(current: Path, stage: str) -> None:
    """Trainings that were given up must not fill the disk; those at work elsewhere, as in a sweep, are not."""
    others = [path for path in current.parent.glob(f"{stage}-*") if path.is_dir() and path != current]
    others = [path for path in others if not in_use(path.with_suffix(".lock"))]
    for path in sorted(others, key=lambda folder: folder.stat().st_mtime, reverse=True)[KEPT - 1 :]:
        shutil.rmtree(path, ignore_errors=True)
        path.with_suffix(".lock").unlink(missing_ok=True)
