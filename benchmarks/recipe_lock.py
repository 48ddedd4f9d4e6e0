"""One command at a time in a folder of results: two would train the same runs beside each other."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from netwright.artifacts.lock_file import taken
from netwright.errors import UserError

PATIENCE_S = 5.0  # what the trainings of a killed command need to be gone; they hold its lock until then


@contextmanager
def alone_in(out: Path) -> Iterator[None]:
    """Make the folder ``out`` and hold its lock. Raises UserError where another command has it."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / ".lock").open("w") as stream:
        until = time.monotonic() + PATIENCE_S
        while not taken(stream):
            if time.monotonic() > until:
                raise UserError(f"another command is at work in {out}: wait until it ends, or choose another --out")
            time.sleep(0.1)
        yield
