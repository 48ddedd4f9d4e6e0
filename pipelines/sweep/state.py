"""What is known of one trial: a small file in its results folder, written by whoever works on it."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from netwright.artifacts.whole_file import write_json

STATE = "trial.json"
LOG = "log.txt"
State = Literal["waiting", "running", "untimed", "done", "failed", "interrupted"]
OVER: tuple[State, ...] = ("done", "failed")


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One trial. ``name``: its overrides, sorted, joined by commas. ``inputs``: a hash of all that decides its result.

    ``label``: the overrides that not all trials of the sweep share, for people; "" where nobody knew the others.
    ``untimed`` trials have all models and wait for the machine to be quiet. ``stage`` is at work now; ``ran`` are the
    stages that really ran for this result, the others were restored. Times are seconds since 1970.
    """

    sweep: str
    name: str
    overrides: tuple[str, ...]
    inputs: str
    state: State = "waiting"
    stage: str = ""
    ran: tuple[str, ...] = ()
    error: str = ""
    started: float = 0.0
    finished: float = 0.0
    tags: dict[str, str]
    label: str = ""

    def write(self, folder: Path) -> "Trial":
        """Write to ``folder``, whole; return self."""
        write_json(folder / STATE, asdict(self))
        return self

    def now(self, folder: Path, **changes: Any) -> "Trial":
        """A copy with ``changes``, written to ``folder``."""
        return replace(self, **changes).write(folder)


def trial_name(overrides: Iterable[str]) -> str:
    """The overrides, sorted, joined by commas."""
    return ",".join(sorted(overrides))


def label_of(overrides: Iterable[str], shared: Collection[str]) -> str:
    """The overrides but those that are ``shared``, sorted; "" where none is left."""
    return ", ".join(sorted(text for text in overrides if text not in shared))


def shared_overrides(trials: Sequence[Iterable[str]]) -> set[str]:
    """The overrides that all ``trials`` have, where there are several."""
    parts = [set(overrides) for overrides in trials]
    return set.intersection(*parts) if len(parts) > 1 else set()


def read_trial(folder: Path) -> Trial | None:
    """The trial that ``folder`` holds, or None where there is none yet, or a file that this version cannot read."""
    try:
        value: dict[str, Any] = json.loads((folder / STATE).read_text("utf-8"))
        return Trial(**value | {key: tuple(value[key]) for key in ("overrides", "ran")})
    except (OSError, ValueError, TypeError, KeyError):
        return None
