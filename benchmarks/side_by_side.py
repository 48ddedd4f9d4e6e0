"""Many trainings on one device, some at a time, each in a process forked after the imports.

Importing torch and its friends costs some ten seconds a process; a fork has them already. The parent must therefore
use no device and start no threads: what needs either happens in a child, ``in_child``. Children end with the parent,
however it ends.
"""

import ctypes
import multiprocessing as mp
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path

from netwright.errors import UserError
from stages._entry.failures import guarded

_FORK = mp.get_context("fork")
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass(kw_only=True)
class Outcome:
    """Names of the jobs that ended well, failed, and were never started or cut off."""

    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def in_child(work: Callable[[], None]) -> None:
    """Run ``work`` in a fork, its output on ours. Raises UserError where it fails; it has said why."""
    process = _forked(lambda: sys.exit(guarded("prepare", work)))
    with _killed_at_the_end({"prepare": process}):
        process.join()
    if process.exitcode:
        raise UserError("nothing was trained: see the line above")


def run_jobs(
    jobs: Sequence[tuple[str, Callable[[], None]]], *, workers: int, limit_s: float, failures: int, logs: Path
) -> Outcome:
    """Run ``jobs`` (name, work), ``workers`` at a time, each with its output in a file of ``logs``.

    After ``limit_s`` seconds, and after ``failures`` failed jobs, all that run are killed and none is started.
    """
    logs.mkdir(parents=True, exist_ok=True)
    waiting, live, outcome = list(jobs), dict[str, BaseProcess](), Outcome()
    deadline = time.monotonic() + limit_s
    with _killed_at_the_end(live):
        while waiting or live:
            for name in [name for name, process in live.items() if not process.is_alive()]:
                _settle(name, live.pop(name), logs, outcome)
            if time.monotonic() > deadline or len(outcome.failed) >= failures:
                break
            while waiting and len(live) < workers:
                name, work = waiting.pop(0)
                live[name] = _forked(partial(_child, work, logs / f"{name}.log"))
                print(f"started {name}, {len(waiting)} wait", flush=True)
            time.sleep(0.05)
    outcome.left += [*live, *(name for name, _ in waiting)]
    return outcome


def _forked(work: Callable[[], None]) -> BaseProcess:
    process = _FORK.Process(target=_with_the_parent, args=(work, os.getpid()))
    sys.stdout.flush()  # or the child would say it again
    process.start()
    return process


def _with_the_parent(work: Callable[[], None], parent: int) -> None:
    """Do ``work``, but not longer than the parent lives: killed at once, it cannot end its children itself."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == parent:  # else it died before the line above
        work()


def _child(work: Callable[[], None], log: Path) -> None:
    with log.open("w", buffering=1) as stream:
        os.dup2(stream.fileno(), 1)  # libraries write there
        os.dup2(stream.fileno(), 2)
        sys.stdout = sys.stderr = stream
        status = guarded(log.stem, work)
    os._exit(status)  # what the parent would do at its end is not the child's


def _settle(name: str, process: BaseProcess, logs: Path, outcome: Outcome) -> None:
    if process.exitcode == 0:
        outcome.done.append(name)
        return
    outcome.failed.append(name)
    said = (logs / f"{name}.log").read_text("utf-8", errors="replace").strip().splitlines()
    print(f"FAILED {name} (status {process.exitcode}): {said[-1] if said else 'no output'}", flush=True)
    print(f"       all of it: {logs / f'{name}.log'}", flush=True)


@contextmanager
def _killed_at_the_end(live: dict[str, BaseProcess]) -> Iterator[None]:
    """Ctrl-C and SIGTERM, which does here what Ctrl-C does, leave no training behind either."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        for process in live.values():
            process.kill()
        for process in live.values():
            process.join()
        signal.signal(signal.SIGTERM, before)
