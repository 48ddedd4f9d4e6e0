"""A lock between processes: who holds an open file's lock has it until the file is closed or the process is gone."""

import fcntl
from typing import TextIO


def taken(stream: TextIO) -> bool:
    """Take the lock of the open file ``stream`` without waiting; False where another process has it."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
