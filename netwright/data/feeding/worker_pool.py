"""A function over pieces of work in several processes: order kept, memory bounded, no process left behind."""

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from multiprocessing import forkserver
from multiprocessing.connection import wait
from typing import TypeVar

from netwright.errors import UserError

Piece = TypeVar("Piece")
Result = TypeVar("Result")
_FEW = 4  # pieces that are done sooner than processes are started
_AHEAD = 3  # pieces waiting or under way for each worker


def worker_count(wished: int) -> int:
    """Return ``wished``, or where that is 0 the number of processors that this process may use."""
    if wished:
        return wished
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def map_in_workers(
    work: Callable[[Piece], Result], pieces: Iterable[Piece], *, workers: int
) -> Generator[Result, None, None]:
    """Yield ``work(piece)`` for every piece, in order. ``work`` and pieces can be pickled.

    With one worker, or few pieces, no process is started. The first piece that fails, in order, raises what it
    raised. Leaving early (Ctrl-C, an error) ends the workers at once; should this process be killed, they notice.
    """
    stream = iter(pieces)
    first = list(islice(stream, _FEW + 1))
    if workers <= 1 or len(first) <= _FEW:
        yield from map(work, chain(first, stream))
        return
    pool = ProcessPoolExecutor(workers, mp_context=_context(work), initializer=_settle)
    try:
        yield from _ordered(pool, work, chain(first, stream), _AHEAD * workers)
    except BrokenProcessPool:
        raise UserError(
            "a worker process was killed, perhaps for want of memory: set NETWRIGHT_WORKERS=1, or give more memory"
        ) from None
    except BaseException:
        _end(pool)
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _ordered(
    pool: ProcessPoolExecutor, work: Callable[[Piece], Result], pieces: Iterable[Piece], ahead: int
) -> Iterator[Result]:
    waiting: deque[Future[Result]] = deque()
    for piece in pieces:
        waiting.append(pool.submit(work, piece))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def prepare_workers(work: Callable[..., object]) -> None:
    """Begin what the first workers for ``work`` would wait for: their imports, while this process does other things."""
    if isinstance(_context(work), multiprocessing.context.ForkServerContext):
        forkserver.ensure_running()


def _context(work: Callable[..., object]) -> multiprocessing.context.BaseContext:
    """Processes that start clean: a fork of this one would copy locks that its threads hold.

    What the module of ``work`` imports is imported once, in the process that workers are forked from.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([getattr(work, "func", work).__module__])
    return context


def _settle() -> None:
    """Ctrl-C reaches every process of the terminal: the main one decides. Without it nothing is left to do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _end(pool: ProcessPoolExecutor) -> None:
    for process in list((pool._processes or {}).values()):  # noqa: SLF001 until Python 3.14 there is no other way
        process.terminate()
