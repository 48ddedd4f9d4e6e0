"""Importances from a process of its own: scikit-learn takes seconds to import, as MLflow does meanwhile."""

import sqlite3
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from types import TracebackType
from typing import Self

from pipelines.compare.factors import Factor
from pipelines.compare.importance import ENOUGH, Importance, importance
from pipelines.tracking.client import KIND

Task = tuple[Sequence[Factor], Sequence[float]]


class Weighing:
    """Starts early where ``uri`` is a file that holds trials enough for a forest, else when one is asked for."""

    def __init__(self, uri: str) -> None:
        self.pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        self.waiting: dict[str, Future[Importance]] = {}
        self.known: dict[str, Importance] = {}
        if _holds_many(uri):
            self.pool.submit(_import_forest)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pool.shutdown(wait=kind is None, cancel_futures=True)

    def begin(self, tasks: dict[str, Task]) -> None:
        """Weigh the factors of each task for its results; what needs no forest is done at once."""
        for name, (factors, results) in tasks.items():
            if len(results) < ENOUGH:
                self.known[name] = importance(factors, results)
            else:
                self.waiting[name] = self.pool.submit(importance, factors, results)

    def found(self) -> dict[str, Importance]:
        """The importances, by the names of the tasks. Waits for them."""
        return self.known | {name: future.result() for name, future in self.waiting.items()}


def _import_forest() -> None:
    import sklearn.ensemble  # noqa: F401


def _holds_many(uri: str) -> bool:
    """Whether an SQLite store has so many results; False where that cannot be told without MLflow."""
    file = uri.removeprefix("sqlite:///")
    if file == uri:
        return False
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=1)) as database:
            query = "SELECT count(*) FROM tags WHERE key = ? AND value = 'pipeline'"
            return bool(database.execute(query, (KIND,)).fetchone()[0] >= ENOUGH)
    except sqlite3.Error:
        return False
