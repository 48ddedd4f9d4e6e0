"""Curves straight into the tables of an SQLite store: a tenth of what MLflow's own batches cost a value.

What lands there is what ``log_batch`` would have written, which a test compares. Whatever is out of the ordinary (a
server, another schema, a run that has such metrics already or is deleted) is left to the client, which says why.
"""

import math
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

_SQLITE = "sqlite:///"
_LARGEST = 1.7976931348623157e308  # stands for infinity, as MLflow has it
_LONGEST_NAME = 250
_BUSY = 30.0  # seconds that another writer may take
_COLUMNS = "(run_uuid, key, value, timestamp, step, is_nan) VALUES (?, ?, ?, ?, ?, ?)"

Row = tuple[str, str, float, int, int, bool]  # in the order of _COLUMNS


def insert_metrics(uri: str, run: str, samples: Sequence[tuple[str, float, int, int]]) -> bool:
    """Add ``samples`` (name, value, step, milliseconds since 1970) to ``run``; False where nothing was written."""
    file = uri.removeprefix(_SQLITE)
    if file == uri or any(len(name) > _LONGEST_NAME for name, *_ in samples):
        return False
    rows = [_row(run, *sample) for sample in samples]
    address = f"{Path(file).resolve().as_uri()}?mode=rw"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=_BUSY)) as base, base:
            return _insert(base, run, rows)
    except sqlite3.Error:
        return False


def _insert(base: sqlite3.Connection, run: str, rows: Sequence[Row]) -> bool:
    latest = _latest(rows)
    base.execute("BEGIN IMMEDIATE")
    stage = base.execute("SELECT lifecycle_stage FROM runs WHERE run_uuid = ?", (run,)).fetchone()
    known = {key for (key,) in base.execute("SELECT key FROM latest_metrics WHERE run_uuid = ?", (run,))}
    if stage != ("active",) or known & set(latest):
        return False
    base.executemany(f"INSERT OR IGNORE INTO metrics {_COLUMNS}", rows)
    base.executemany(f"INSERT INTO latest_metrics {_COLUMNS}", list(latest.values()))
    return True


def _row(run: str, name: str, value: float, step: int, when: int) -> Row:
    is_nan = math.isnan(value)
    finite = math.copysign(_LARGEST, value) if math.isinf(value) else value
    return run, name, 0.0 if is_nan else finite, when, step, is_nan


def _latest(rows: Sequence[Row]) -> dict[str, Row]:
    """Of each name the row with the highest step, then time, then value."""
    latest: dict[str, Row] = {}
    for row in rows:
        _, name, value, when, step, _ = row
        known = latest.get(name)
        if known is None or (step, when, value) > (known[4], known[3], known[2]):
            latest[name] = row
    return latest
