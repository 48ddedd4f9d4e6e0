"""What of a trial outlives its slot: reports, exports and small files; networks stay in DVC's cache."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from pipelines.compose import SNAPSHOT

KEPT = (
    SNAPSHOT,
    "dvc.yaml",
    "dvc.lock",
    "machine.json",
    "exports",
    "reports",
    "models/*/*.json",
    "models/*/*.csv",
    "data/converted/*.json",
    "data/converted/*.html",
)


def keep_results(slot: Path, folder: Path) -> None:
    """Copy the results out of ``slot``, which is used again and removed."""
    for path in _kept(slot):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if (slot / path).is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(slot / path, target)
        else:
            shutil.copy2(slot / path, target)


def forget_results(folder: Path) -> None:
    """Remove what an earlier success left in ``folder``, now that the trial has failed with other inputs."""
    for path in [path for path in _kept(folder) if path.name != SNAPSHOT]:
        if (folder / path).is_dir():
            shutil.rmtree(folder / path)
        else:
            (folder / path).unlink()


def _kept(folder: Path) -> Iterator[Path]:
    for pattern in KEPT:
        yield from (path.relative_to(folder) for path in sorted(folder.glob(pattern)))
