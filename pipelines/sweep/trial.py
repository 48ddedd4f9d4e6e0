"""``python -m pipelines.sweep.trial PROJECT RESULTS TREE timed|untimed``: one trial, in the current slot.

Started by the job that holds the slot, on the snapshot's own code. What it says goes to the trial's log.
"""

import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from netwright.errors import UserError
from pipelines.machine import write_machine
from pipelines.sweep.places import RESULTS, Places, locked
from pipelines.sweep.stage_order import TIMED
from pipelines.sweep.state import LOG, Trial, read_trial
from pipelines.sweep.workspace import open_workspace, steps_of
from stages._entry.app import LEDGER
from stages._entry.failures import INTERRUPTED

if TYPE_CHECKING:
    from dvc.repo import Repo

KEPT = (
    "params.yaml",
    "dvc.yaml",
    "dvc.lock",
    "machine.json",
    "exports",
    "reports",
    "models/*/*.json",
    "models/*/*.csv",
    "data/converted/*.json",
    "data/converted/*.html",
)
TIMED_NOW, TIMED_LATER = "timed", "untimed"
_LOOK = 0.5  # seconds between looks at whether to end
_PATIENCE = 15.0  # seconds that a stage has to end before it is killed


def run_trial(slot: Path, places: Places, folder: Path, tree: str, timed: bool) -> Trial:
    """Bring every stage up to date in ``slot``, copy what matters to ``folder``, return the state.

    Not ``timed``, the stage that times is left for later.

    A stage that fails ends the trial as failed, with the line that it said.
    """
    trial = read_trial(folder)
    if trial is None:
        raise UserError(f"no trial in {folder}: it is pipelines.sweep that starts trials")
    write_machine(slot)
    values: dict[str, Any] = yaml.safe_load((slot / "params.yaml").read_text("utf-8"))
    repo = open_workspace(slot, places.project)
    trial = trial.now(folder, state="running", error="")
    for step in steps_of(repo, slot, values, tree):
        if step.name == TIMED and not timed:
            continue
        trial = trial.now(folder, stage=step.name)
        begun = time.time()
        print(f"sweep: {step.name}", flush=True)
        try:
            with locked(places.scratch / RESULTS / "stages" / f"{step.key}.lock"):
                _reproduce(repo, step.name)
        except Exception as error:  # noqa: BLE001 whatever a stage or DVC raise fails this trial and no other
            return trial.now(folder, state="failed", error=_told(folder, step.name, error), finished=time.time())
        ran = [step.name] if _started(places.scratch / LEDGER, slot, begun) else []
        trial = trial.now(folder, ran=(*(name for name in trial.ran if name not in ran), *ran))
    _keep(slot, folder)
    return trial.now(folder, state="done" if timed else "untimed", stage="", finished=time.time())


def _reproduce(repo: "Repo", stage: str) -> None:
    repo.reproduce(targets=[stage], single_item=True)


def _started(ledger: Path, slot: Path, since: float) -> bool:
    """Whether a stage really started in ``slot``: DVC reports restored stages like those that ran."""
    lines = ledger.read_text("utf-8").splitlines() if ledger.is_file() else []
    rows = (json.loads(line) for line in reversed(lines))
    return any(row["started"] >= since and row["folder"] == str(slot) for row in rows)


def _told(folder: Path, stage: str, error: Exception) -> str:
    """The last line that the stage said for itself, or else what DVC says."""
    log = (folder / LOG).read_text("utf-8", errors="replace") if (folder / LOG).is_file() else ""
    lines = [line.strip() for line in log.rpartition(f"sweep: {stage}\n")[2].splitlines() if line.strip()]
    own = [line for line in lines if line.startswith(f"{stage}: ")]
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return (own or lines or [f"{stage}: {cause}"])[-1]


def _keep(slot: Path, folder: Path) -> None:
    """Copy the results out of ``slot``, which is used again and removed."""
    for path in _kept(slot):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if (slot / path).is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(slot / path, target)
        else:
            shutil.copy(slot / path, target)


def _kept(slot: Path) -> Iterator[Path]:
    for pattern in KEPT:
        yield from (path.relative_to(slot) for path in sorted(slot.glob(pattern)))


class Watch:
    """Ends this process group, from a thread, when the sweep is to stop or whoever started this is gone."""

    def __init__(self, places: Places) -> None:
        self.stop, self.starter, self.ending = places.stop, os.getppid(), False
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while os.getppid() == self.starter and not self.stop.exists():
            time.sleep(_LOOK)
        self.ending = True
        os.killpg(os.getpgrp(), signal.SIGINT)  # the stage at work, and whatever it started, end in an orderly way
        time.sleep(_PATIENCE)
        os.killpg(os.getpgrp(), signal.SIGKILL)


def main() -> int:
    """Run one trial and return the exit status."""
    project, results, tree, when = sys.argv[1:]
    folder = Path(results)
    places = Places(project=Path(project), name=folder.parent.name)
    watch = Watch(places)
    try:
        trial = run_trial(Path.cwd(), places, folder, tree, when == TIMED_NOW)
    except KeyboardInterrupt:
        return INTERRUPTED
    return INTERRUPTED if watch.ending else int(trial.state == "failed")


if __name__ == "__main__":
    sys.exit(main())
