"""One process at a time for one piece of work; a forgotten one, whose DVC is gone, is stopped."""

import contextlib
import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from netwright.errors import UserError

_RUNNERS = {"pipelines.repro", "pipelines.sweep.trial"}
PATIENCE = 15.0  # seconds that a forgotten process has to end before it is killed


@contextlib.contextmanager
def alone(lock: Path, refusal: str) -> Iterator[None]:
    """Hold ``lock`` for the block.

    Where a process holds it that was started by a `dvc repro` which has since been killed, nobody waits for that
    process: it is stopped. Raises UserError beginning with ``refusal`` where its owner still lives.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a+", encoding="utf-8") as stream:
        if not _taken(stream):
            _stop_forgotten(_holder(lock), refusal)
            _wait_for(stream, refusal)
        stream.truncate(0)
        stream.write(json.dumps({"process": _self(), "runner": _runner()}))
        stream.flush()
        yield


def in_use(lock: Path) -> bool:
    """Whether a process holds ``lock``."""
    if not lock.is_file():
        return False
    with lock.open("a+", encoding="utf-8") as stream:
        return not _taken(stream)


def _taken(stream: TextIO) -> bool:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(lock: Path) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(lock.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return value


def _stop_forgotten(holder: dict[str, Any], refusal: str) -> None:
    process, runner = holder.get("process"), holder.get("runner")
    if not process or not runner or _lives(runner):
        number = process[0] if process else "unknown"
        raise UserError(f"{refusal} (process {number}): wait for it, or stop it")
    import psutil

    print(f"process {process[0]} of a dvc repro that is gone still works on this: it is stopped", file=sys.stderr)
    with contextlib.suppress(psutil.Error):
        victim = psutil.Process(process[0])
        if victim.create_time() == process[1]:
            victim.terminate()
            with contextlib.suppress(psutil.TimeoutExpired):
                victim.wait(PATIENCE)
            victim.kill()


def _wait_for(stream: TextIO, refusal: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not _taken(stream):
        if time.monotonic() > deadline:
            raise UserError(f"{refusal}, and it does not end: stop it")
        time.sleep(0.1)


def _self() -> tuple[int, float]:
    import psutil

    return os.getpid(), psutil.Process().create_time()


def _runner() -> tuple[int, float] | None:
    """The nearest ancestor that is DVC, or None where the stage was started by hand."""
    import psutil

    for parent in psutil.Process().parents():
        with contextlib.suppress(psutil.Error):
            command = parent.cmdline()
            if any(Path(word).name == "dvc" for word in command[:3]) or _RUNNERS.intersection(command):
                return parent.pid, parent.create_time()
    return None


def _lives(process: tuple[int, float]) -> bool:
    import psutil

    try:
        return bool(psutil.Process(process[0]).create_time() == process[1])
    except psutil.Error:
        return False
