"""What a user may cause becomes one line on stderr and an exit status; a defect of ours keeps its traceback."""

import errno
import os
import sys
import traceback
from collections.abc import Callable

from netwright.errors import UserError

_SURROUNDINGS = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EEXIST,
    errno.ENOTDIR,
    errno.EISDIR,
}
_NO_ROOM = {errno.EROFS, errno.ENOSPC, errno.EDQUOT}
_FULL = os.strerror(errno.ENOSPC)
INTERRUPTED = 130


def guarded(who: str, work: Callable[[], None]) -> int:
    """Run ``work`` and return the exit status: 0, 1 for bad input, 130 for Ctrl-C.

    A defect of ours is status 1 too, with its traceback from ``work`` on and no frames of Hydra's.
    """
    try:
        work()
    except KeyboardInterrupt:
        return complain(who, "interrupted; no half-written file is left", INTERRUPTED)
    except Exception as error:  # noqa: BLE001 the last border before the shell
        message = explained(error)
        if message is not None:
            return complain(who, message)
        traceback.print_exc()
        return 1
    return 0


def complain(who: str, message: str, status: int = 1) -> int:
    """Print ``message`` as one line on stderr and return ``status``."""
    sys.stdout.flush()
    print(f"{who}: {' '.join(message.split())}", file=sys.stderr, flush=True)
    return status


def explained(error: Exception) -> str | None:
    """Return the line for an error that the user or the machine's state caused, None for a defect of ours."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError) and error.errno in _SURROUNDINGS:
        place = f" {error.filename}" if error.filename else ""
        return f"cannot {'write' if error.errno in _NO_ROOM else 'use'}{place}: {error.strerror or error}"
    if _FULL in str(error):  # Parquet, safetensors and ONNX writers have exceptions of their own
        return f"cannot write: {_FULL} ({error})"
    if type(error).__name__ == "OutOfMemoryError":  # torch's, which is not imported for this
        return f"the GPU's memory does not suffice: see what else uses it, or take smaller batches ({error})"
    if type(error).__module__.partition(".")[0] in {"hydra", "omegaconf", "yaml"}:
        return str(error)
    return None
