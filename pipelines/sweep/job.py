"""What a launcher runs for each trial, in whatever process or on whatever host it does: a slot, and a process in it."""

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from netwright.artifacts.whole_file import write_text
from pipelines.compose import SNAPSHOT, snapshot_text
from pipelines.sweep.places import Places, locked
from pipelines.sweep.slots import link_inputs, slot
from pipelines.sweep.snapshot import Snapshot
from pipelines.sweep.state import LOG, Trial, read_trial, trial_name
from pipelines.sweep.trial import TIMED_LATER, TIMED_NOW
from pipelines.tracking.result import objective
from stages._entry.failures import INTERRUPTED
from stages._training.alone import IN_SWEEP

_PATIENCE = 20.0  # seconds that an interrupted trial has to end by itself


@dataclass(frozen=True, kw_only=True)
class Job:
    """What all trials of a sweep have in common. ``machine`` is a hash of what this machine is."""

    places: Places
    snapshot: Snapshot
    machine: str

    def prepare(self, overrides: Sequence[str], values: Mapping[str, Any], label: str = "") -> Trial:
        """The trial as it lies in its folder; one that is not done for these very inputs is set to waiting."""
        name, inputs = trial_name(overrides), self._inputs(values)
        folder = self.places.trial(name)
        before = read_trial(folder)
        if before is not None and before.inputs == inputs:
            waiting = {} if before.state == "done" else {"state": "waiting", "stage": ""}
            return before.now(folder, label=label or before.label, **waiting)
        write_text(folder / SNAPSHOT, snapshot_text(values))
        fresh = Trial(
            sweep=self.places.name,
            name=name,
            overrides=tuple(sorted(overrides)),
            inputs=inputs,
            tags=self._tags(),
            label=label,
        )
        return fresh.write(folder)

    def run(self, overrides: Sequence[str], values: Mapping[str, Any], *, timed: bool = True) -> float | None:
        """Run the trial unless it is done; return the objective, None where there is none yet.

        Not ``timed``, all but the timing is done. Where somebody else works on the trial, this waits for them first.
        Never raises for what goes wrong in the trial: it is marked as failed, and the others go on.
        """
        name = trial_name(overrides)
        folder = self.places.trial(name)
        with locked(self.places.trial_lock(name)) as lock:
            trial = read_trial(folder)
            if trial is None or trial.inputs != self._inputs(values):
                trial = self.prepare(overrides, values)
            reached = ("done",) if timed else ("done", "untimed")
            if trial.state not in reached and not self.places.stop.exists():
                trial = self._run(trial, folder, values, timed=timed, lock=lock)
        return objective(folder) if trial.state == "done" else None

    def _run(self, trial: Trial, folder: Path, values: Mapping[str, Any], *, timed: bool, lock: TextIO) -> Trial:
        started = trial.started if trial.state == "untimed" else time.time()
        trial = trial.now(folder, state="running", stage="", error="", started=started)
        try:
            with slot(self.places, self.snapshot.commit) as (workspace, held):
                write_text(workspace / SNAPSHOT, snapshot_text(values))
                link_inputs(self.places.project, workspace, values)
                status = self._process(workspace, folder, timed=timed, locks=(lock, held))
        except KeyboardInterrupt:
            (read_trial(folder) or trial).now(folder, state="interrupted", finished=time.time())
            raise
        except Exception as error:  # noqa: BLE001 such as a full disk: it must not stop the other trials
            return trial.now(folder, state="failed", error=f"sweep: {error}", finished=time.time())
        after = read_trial(folder) or trial
        if status in (INTERRUPTED, -signal.SIGINT, -signal.SIGKILL) and self.places.stop.exists():
            return after.now(folder, state="interrupted", error="")
        if after.state == "running":  # it died before it could say so
            return after.now(folder, state="failed", error=_last_line(folder / LOG, status), finished=time.time())
        return after

    def _process(self, workspace: Path, folder: Path, *, timed: bool, locks: Sequence[TextIO]) -> int:
        """The trial's process, in a session of its own: Ctrl-C reaches the sweep, which asks the trial to end.

        It inherits ``locks``: should this process be killed, they are still held while the trial's ends.
        """
        command = [sys.executable, "-m", "pipelines.sweep.trial", str(self.places.project), str(folder)]
        with (folder / LOG).open("w", encoding="utf-8") as log:
            process = subprocess.Popen(
                [*command, self.snapshot.tree, TIMED_NOW if timed else TIMED_LATER, str(os.getpid())],
                cwd=workspace,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[lock.fileno() for lock in locks],
            )
            try:
                return process.wait()
            except KeyboardInterrupt:
                self.places.stop.touch()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_PATIENCE)
                raise
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()  # until then it holds the locks

    def _environment(self) -> dict[str, str]:
        here = str(Path(sys.executable).parent)
        return os.environ | {
            "PATH": os.pathsep.join([here, os.environ.get("PATH", os.defpath)]),
            "NETWRIGHT_SCRATCH": str(self.places.scratch),
            IN_SWEEP: "1",
        }

    def _inputs(self, values: Mapping[str, Any]) -> str:
        said = "\n".join([self.snapshot.tree, self.machine, snapshot_text(values)])
        return hashlib.sha256(said.encode()).hexdigest()

    def _tags(self) -> dict[str, str]:
        """Of which code the results are."""
        tags = {"git.dirty": str(bool(self.snapshot.edited)).lower(), "netwright.snapshot": self.snapshot.commit}
        tags["netwright.code_tree"] = self.snapshot.tree
        return tags | ({"mlflow.source.git.commit": self.snapshot.head} if self.snapshot.head else {})


def _last_line(log: Path, status: int) -> str:
    lines = log.read_text("utf-8", errors="replace").split("\n") if log.is_file() else []
    said = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return said or f"sweep: the trial's process ended with status {status}"
