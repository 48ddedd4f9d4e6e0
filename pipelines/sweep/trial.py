"""``python -m pipelines.sweep.trial PROJECT RESULTS TREE timed|untimed STARTER``: one trial, in the current slot.

Started by the job that holds the slot, in the process STARTER, on the snapshot's own code. What it says goes to the
trial's log.
"""

import contextlib
import itertools
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from netwright.errors import UserError
from pipelines.compose import SNAPSHOT
from pipelines.machine import write_machine
from pipelines.sweep.kept import forget_results, keep_results
from pipelines.sweep.places import RESULTS, Places, locked
from pipelines.sweep.state import LOG, Trial, read_trial
from pipelines.sweep.watch import Watch
from pipelines.sweep.workspace import keys_of, open_workspace, reproduce
from stages._entry.app import LEDGER
from stages._entry.failures import INTERRUPTED

TIMED = "benchmark"  # the stage that times: nothing else may run beside it
TIMED_NOW, TIMED_LATER = "timed", "untimed"
_HEADING = "sweep: {}\n"
_DISORDER = 60.0  # seconds by which lines of the ledger may be out of order: others write to it too


def run_trial(slot: Path, places: Places, folder: Path, tree: str, *, timed: bool, watch: Watch) -> Trial:
    """Bring every stage up to date in ``slot``, copy what matters to ``folder``, return the state.

    Not ``timed``, the stage that times is left for later. A stage that fails ends the trial as failed, with the line
    that it said; one that was made to end leaves it interrupted.
    """
    trial = read_trial(folder)
    if trial is None:
        raise UserError(f"no trial in {folder}: it is pipelines.sweep that starts trials")
    write_machine(slot)
    values: dict[str, Any] = yaml.safe_load((slot / SNAPSHOT).read_text("utf-8"))
    repo = open_workspace(slot, places.project)
    progress = Progress(slot, places, folder, trial.now(folder, state="running", error=""))
    keys = keys_of(repo, slot, values, tree)
    try:
        reproduce(repo, lambda stage: progress.at(stage, keys[stage], wanted=timed or stage != TIMED))
    except Exception as error:  # noqa: BLE001 whatever a stage or DVC raise fails this trial and no other
        return progress.interrupted() if watch.ending else progress.failed(error)
    except KeyboardInterrupt:
        return progress.interrupted()
    keep_results(slot, folder)
    return progress.trial.now(folder, state="done" if timed else "untimed", stage="", finished=time.time())


class Progress:
    """Keeps ``trial`` told, in ``folder``, which stage is at work and which have really run."""

    def __init__(self, slot: Path, places: Places, folder: Path, trial: Trial) -> None:
        self.slot, self.places, self.folder, self.trial = slot, places, folder, trial

    @contextlib.contextmanager
    def at(self, stage: str, key: str, *, wanted: bool) -> Iterator[bool]:
        """The block does ``stage``. Trials that share it wait here for the first, and find it in the cache."""
        if not wanted:
            yield False
            return
        self.trial = self.trial.now(self.folder, stage=stage)
        begun = time.time()
        print(_HEADING.format(stage), end="", flush=True)
        with locked(self.places.scratch / RESULTS / "stages" / f"{key}.lock"):
            yield True
        if _started(self.places.scratch / LEDGER, self.slot, begun):
            self.trial = self.trial.now(self.folder, ran=(*(name for name in self.trial.ran if name != stage), stage))

    def interrupted(self) -> Trial:
        """The trial as it can be taken up again."""
        return self.trial.now(self.folder, state="interrupted", finished=time.time())

    def failed(self, error: Exception) -> Trial:
        """The trial as failed, with the last line that the stage said for itself, or else what DVC says."""
        stage, log = self.trial.stage, self.folder / LOG
        said = log.read_text("utf-8", errors="replace").rpartition(_HEADING.format(stage))[2] if log.is_file() else ""
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        own = [line for line in lines if line.startswith(f"{stage}: ")]
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        forget_results(self.folder)
        told = (own or lines or [f"{stage}: {cause}"])[-1]
        return self.trial.now(self.folder, state="failed", error=told, finished=time.time())


def _started(ledger: Path, slot: Path, since: float) -> bool:
    """Whether a stage really started in ``slot``: DVC reports restored stages like those that ran."""
    lines = ledger.read_text("utf-8").splitlines() if ledger.is_file() else []
    rows = (json.loads(line) for line in reversed(lines))
    recent = itertools.takewhile(lambda row: row["started"] >= since - _DISORDER, rows)
    return any(row["started"] >= since and row["folder"] == str(slot) for row in recent)


def main() -> int:
    """Run one trial and return the exit status."""
    project, results, tree, when, starter = sys.argv[1:]
    folder = Path(results)
    places = Places(project=Path(project), name=folder.parent.name)
    watch = Watch(places, int(starter))
    trial = run_trial(Path.cwd(), places, folder, tree, timed=when == TIMED_NOW, watch=watch)
    return {"failed": 1, "interrupted": INTERRUPTED}.get(trial.state, 0)


if __name__ == "__main__":
    sys.exit(main())
