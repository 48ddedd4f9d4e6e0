"""Which stages really ran for a result: read from the ledger that the stages' door keeps."""

import json
import os
from pathlib import Path
from typing import Any

from netwright.artifacts.whole_file import write_json
from stages._entry.app import LEDGER

MARK = "recorded.json"


def scratch_of(project: Path) -> Path:
    """The folder for what may be lost: ``NETWRIGHT_SCRATCH``, or else .netwright in ``project``."""
    return project.resolve() / os.environ.get("NETWRIGHT_SCRATCH", ".netwright")


def new_starts(project: Path, key: str) -> dict[str, float]:
    """Start time of every stage that ran for the result ``key``: the ledger's lines since the result before it.

    What was found is kept beside the ledger, so that it is still known when the store answers only later.
    """
    scratch = scratch_of(project)
    ledger, mark = scratch / LEDGER, scratch / MARK
    lines = ledger.read_text("utf-8").splitlines() if ledger.is_file() else []
    known: dict[str, Any] = json.loads(mark.read_text("utf-8")) if mark.is_file() else {"lines": 0, "results": {}}
    seen = known["lines"] if known["lines"] <= len(lines) else 0  # a new ledger: scratch was emptied
    fresh = [json.loads(line) for line in lines[seen:]]
    starts: dict[str, float] = known["results"].get(key, {})
    starts |= {row["stage"]: row["started"] for row in fresh if row["folder"] == str(project.resolve())}
    write_json(mark, {"lines": len(lines), "results": known["results"] | {key: starts}})
    return starts
