"""A process of step_speed: what can be found out before it starts, and what it says."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.before_measuring import check_device
from benchmarks.changed_params import changed_settings, read_params
from benchmarks.recipe_run import WARM_EPOCHS, Place, seeded, start_network
from netwright.errors import UserError
from stages import paths

# what --set may not change, since another option of the same command does
OWNERS = {"train.batch_size": "--batch", "train.epochs": "--epochs", "model.height": "--size", "model.width": "--size"}


def check_steps(project: Path, changes: dict[str, Any], device: str, processes: int = 1) -> None:
    """Raise UserError for values, a network, data or a device with which no step would work."""
    check_device(device, processes)
    epochs, least = changes["train.epochs"], WARM_EPOCHS + 3 if device == "cuda" else 2
    if epochs < least:
        raise UserError(f"--epochs {epochs} leaves no warm epochs: give {least} or more")
    settings = changed_settings(read_params(project), changes)
    place = Place(data=project / paths.CONVERTED, scratch=project / ".netwright", out=project, device=device)
    start_network(seeded("", settings.train.seed, settings), place)


def step_lines(asked: dict[str, Any], *, who: str, limit_s: float) -> list[str]:
    """What it prints for ``asked``, JSON last. Raises UserError, about ``who``, where it dies or takes too long."""
    command = [sys.executable, "-m", "benchmarks.step_speed", json.dumps(asked)]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired:
        raise UserError(f"{who} took more than {limit_s:.0f} s: fewer --epochs, or a larger --limit") from None
    if done.returncode or not done.stdout.strip():
        raise UserError(f"{who} ended with status {done.returncode}: see above")
    return done.stdout.splitlines()
