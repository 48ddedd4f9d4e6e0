"""How a sweep ends, by itself, by Ctrl-C or by an error: its trials first, then their workspaces."""

import contextlib
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from types import FrameType

from pipelines.sweep.places import Places, locked_at_once
from pipelines.sweep.slots import remove_slots
from pipelines.sweep.state import STATE, read_trial

_PATIENCE = 25.0  # seconds that trials have to end
_LOOK = 0.2


@contextlib.contextmanager
def orderly_end(places: Places) -> Iterator[None]:
    """Whatever ends the block, Ctrl-C too: trials are asked to end first, then the workspaces are removed."""
    places.stop.unlink(missing_ok=True)
    remove_slots(places)  # of sweeps that were killed

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # pressed again, it is meant now
        places.stop.touch()
        _wait_while(lambda: _running(places))
        signal.default_int_handler(number, frame)

    handlers = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        remove_slots(places)
        for folder in ("conf", "hydra"):
            shutil.rmtree(places.work / folder, ignore_errors=True)


@contextlib.contextmanager
def ended_together(places: Places) -> Iterator[None]:
    """An error that ends the block, such as a launcher's job over its time limit, ends trials in other processes too.

    They have ended before the error goes on, and with it the recording, the slots and the composed configuration.
    """
    try:
        yield
    except BaseException:
        places.stop.touch()
        _wait_while(lambda: _worked_on(places))
        raise


def _wait_while(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while true() and time.monotonic() < deadline:
        time.sleep(_LOOK)


def _running(places: Places) -> bool:
    """Whether a trial says so: the locks say nothing where this very process works on it."""
    return any(
        (trial := read_trial(path.parent)) is not None and trial.state == "running"
        for path in places.results.glob(f"*/{STATE}")
    )


def _worked_on(places: Places) -> bool:
    """Whether a process is still there that works on a trial, whatever the trial's state says."""
    for path in places.trial_locks.glob("*.lock"):
        with locked_at_once(path) as free:
            if not free:
                return True
    return False
