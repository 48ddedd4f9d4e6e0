"""Where a sweep keeps its things: results beside the project's own, everything else in scratch."""

import contextlib
import fcntl
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.tracking.starts import scratch_of

RESULTS = "sweeps"
LOCK = "lock"  # in a sweep's work folder, held while it runs
_LONGEST = 120  # characters of a trial's folder


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

    def trial(self, name: str) -> Path:
        """The results folder of the trial ``name``."""
        return self.results / folder_name(name)


def folder_name(trial: str) -> str:
    """``trial`` as a folder's name: what a shell would mind is replaced, what is too long is cut, both with a hash."""
    plain = re.sub(r"[^\w.=,+-]", "_", trial)[:_LONGEST].strip(".")
    return plain if plain == trial else f"{plain}-{hashlib.sha256(trial.encode()).hexdigest()[:8]}"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file ``path``, waiting for whoever has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def locked_at_once(path: Path) -> Iterator[bool]:
    """Hold the lock file ``path`` and yield True, or yield False where somebody has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
