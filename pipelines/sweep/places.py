"""Where a sweep keeps its things: results beside the project's own, everything else in scratch."""

import contextlib
import fcntl
import hashlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from netwright.artifacts.lock_file import taken
from pipelines.tracking.starts import scratch_of

RESULTS = "sweeps"
LOCK = "lock"  # in a sweep's work folder, held while it runs
_LONGEST = 120  # characters of a trial's folder
_LOOK = 0.2  # seconds between looks at a lock that somebody has


@dataclass(frozen=True, kw_only=True)
class Places:
    """Folders of sweep ``name`` in ``project``."""

    project: Path
    name: str

    @property
    def results(self) -> Path:
        """What the user keeps: a folder for each trial."""
        return self.project / RESULTS / self.name

    @property
    def scratch(self) -> Path:
        """The project's scratch: shared by all trials, so that caches and checkpoints serve every one."""
        return scratch_of(self.project)

    @property
    def work(self) -> Path:
        """Workspaces and locks of this sweep, of no value after it."""
        return self.scratch / RESULTS / self.name

    @property
    def stop(self) -> Path:
        """The file whose presence asks every trial, on whatever host, to end."""
        return self.work / "stop"

    @property
    def trial_locks(self) -> Path:
        """The folder of the locks of trials: each is held as long as anybody works on its trial."""
        return self.work / "trials"

    def trial(self, name: str) -> Path:
        """The results folder of the trial ``name``."""
        return self.results / folder_name(name)

    def trial_lock(self, name: str) -> Path:
        """The lock of the trial ``name``, and so of its results folder."""
        return self.trial_locks / f"{folder_name(name)}.lock"


def folder_name(trial: str) -> str:
    """``trial`` as a folder's name: what a shell would mind is replaced, what is too long is cut, both with a hash."""
    plain = re.sub(r"[^\w.=,+-]", "_", trial)[:_LONGEST].strip(".")
    return plain if plain == trial else f"{plain}-{hashlib.sha256(trial.encode()).hexdigest()[:8]}"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[TextIO]:
    """Hold the lock file ``path``, waiting for whoever has it.

    A process that inherits the open file that this yields holds the lock too, beyond the block, until it ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield stream


@contextlib.contextmanager
def locked_at_once(path: Path, *, patience: float = 0.0) -> Iterator[TextIO | None]:
    """Hold the lock file ``path`` and yield it as ``locked`` does, or None where somebody has it.

    Whoever has it may have ``patience`` more seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + patience
    with path.open("a") as stream:
        while not (ours := taken(stream)) and time.monotonic() < deadline:
            time.sleep(_LOOK)
        yield stream if ours else None
