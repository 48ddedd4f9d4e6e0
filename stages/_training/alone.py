"""One process at a time for one piece of work; a forgotten one, whose DVC is gone, is stopped."""

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from netwright.artifacts.lock_file import taken
from netwright.errors import UserError

IN_SWEEP = "NETWRIGHT_IN_SWEEP"  # set for the stages of a sweep: nobody is there to start a refused one again
PATIENCE = 15.0  # seconds that a forgotten process has to end before it is killed
_RUNNERS = {"pipelines.repro", "pipelines.sweep.trial"}
_LOOK = 0.1  # seconds between looks at whether the lock is free

Process = tuple[int, float]  # its number, and when it was made: numbers are used again


@contextlib.contextmanager
def alone(lock: Path, refusal: str, *, waits: bool = False) -> Iterator[None]:
    """Hold ``lock`` for the block.

    Where a process holds it that was started by a `dvc repro` or a sweep which has since been killed, nobody waits
    for that process: it is stopped. For one whose owner still lives this ``waits``, or else raises UserError
    beginning with ``refusal``.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a+", encoding="utf-8") as stream:
        _take(stream, lock, refusal, waits=waits)
        stream.truncate(0)
        stream.write(json.dumps({"process": _self(), "runner": _runner()}))
        stream.flush()
        try:
            yield
        finally:
            stream.truncate(0)  # whoever holds it for a moment next is not taken for this process


@contextlib.contextmanager
def if_free(lock: Path) -> Iterator[bool]:
    """Hold ``lock`` for the block where no process does; yield whether that is so."""
    with lock.open("a+", encoding="utf-8") as stream:
        yield taken(stream)


def in_use(lock: Path) -> bool:
    """Whether a process holds ``lock``."""
    if not lock.is_file():
        return False
    with if_free(lock) as free:
        return not free


def _take(stream: TextIO, lock: Path, refusal: str, *, waits: bool) -> None:
    """A holder that has not said who it is, or is gone, only looks or tidies: it is waited for in any case."""
    deadline = time.monotonic() + 2 * PATIENCE  # time to be stopped, and to be gone
    said = False
    while not taken(stream):
        process, runner = _holder(lock)
        lives = process is not None and _lives(process)
        if process and lives and runner and not _lives(runner):
            _stop(process)
        elif process and lives and not waits:
            raise UserError(f"{refusal} (process {process[0]}): wait for it, or stop it")
        elif process and lives and not said:
            print(f"{refusal} (process {process[0]}): this one waits for it", flush=True)
            said = True
        if not waits and time.monotonic() > deadline:
            raise UserError(f"{refusal}, and it does not end: stop it")
        time.sleep(_LOOK)


def _holder(lock: Path) -> tuple[Process | None, Process | None]:
    """The process that wrote into ``lock`` last, and its runner; None where it does not say."""
    try:
        value: dict[str, Any] = json.loads(lock.read_text("utf-8"))
    except (OSError, ValueError):
        return None, None
    return value.get("process"), value.get("runner")


def _stop(process: Process) -> None:
    import psutil

    print(f"process {process[0]} of a run that is gone still works on this: it is stopped", file=sys.stderr)
    with contextlib.suppress(psutil.Error):
        victim = psutil.Process(process[0])
        if victim.create_time() == process[1]:
            victim.terminate()
            with contextlib.suppress(psutil.TimeoutExpired):
                victim.wait(PATIENCE)
            victim.kill()


def _self() -> Process:
    import psutil

    return os.getpid(), psutil.Process().create_time()


def _runner() -> Process | None:
    """The nearest ancestor that is DVC, or None where the stage was started by hand."""
    import psutil

    for parent in psutil.Process().parents():
        with contextlib.suppress(psutil.Error):
            command = parent.cmdline()
            if any(Path(word).name == "dvc" for word in command[:3]) or _RUNNERS.intersection(command):
                return parent.pid, parent.create_time()
    return None


def _lives(process: Process) -> bool:
    import psutil

    try:
        return bool(psutil.Process(process[0]).create_time() == process[1])
    except psutil.Error:
        return False
