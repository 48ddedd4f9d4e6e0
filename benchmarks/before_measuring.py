"""What is found out before anything is measured: that the device is there, and that results can be written."""

import os
from pathlib import Path

from netwright.errors import UserError


def check_device(device: str, processes: int = 1) -> None:
    """Raise UserError where ``device`` is cuda and torch does not see a GPU for each of ``processes``."""
    if device != "cuda":
        return
    import torch

    if not torch.cuda.is_available():
        raise UserError("--device is cuda, and torch sees no CUDA device here")
    if (found := torch.cuda.device_count()) < processes:
        raise UserError(f"{processes} processes want a GPU each, and this host has {found}")


def check_out(out: Path | None) -> None:
    """Make the folder of the file ``out``. Raises UserError where it cannot be written."""
    if out is None:
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.is_dir():
        raise UserError(f"--out {out} is a folder: name a file")
    if not os.access(out.parent, os.W_OK):
        raise UserError(f"--out {out}: its folder cannot be written")
