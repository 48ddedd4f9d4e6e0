"""A sweep from its plan to its end: one snapshot, Hydra's launcher, timing where it had to wait, and a clean leave."""

import hashlib
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from netwright.artifacts.whole_file import write_json
from netwright.errors import UserError
from pipelines.compose import CONF, SNAPSHOT
from pipelines.machine import write_machine
from pipelines.sweep.command import multirun
from pipelines.sweep.ending import ended_together, orderly_end
from pipelines.sweep.job import Job
from pipelines.sweep.outcome import tell_outcome
from pipelines.sweep.places import LOCK, Places, locked_at_once
from pipelines.sweep.plan import FREE, Plan, make_plan, values_of
from pipelines.sweep.recorder import Recorder
from pipelines.sweep.snapshot import Snapshot, extract, take_snapshot
from pipelines.sweep.state import STATE, Trial, label_of, read_trial, shared_overrides
from pipelines.sweep.table import LiveTable

if TYPE_CHECKING:
    from omegaconf import DictConfig

IN_USE = 10.0  # seconds that a sweep of this name may still need: another may hold it to remove its slots


def sweep(project: Path, overrides: Sequence[str]) -> tuple[int, int]:
    """Run the sweep that ``overrides`` ask for; return the number of failed trials and of all trials.

    Raises UserError, before anything is run, for bad overrides, a project that is no git repository, or where this
    sweep is running already.
    """
    plan = make_plan(CONF, overrides)
    places = Places(project=project.resolve(), name=plan.name)
    if not re.fullmatch(r"[\w.+-]+", plan.name) or plan.name.startswith("."):
        raise UserError(f"sweep.name is {plan.name!r}: letters, digits, _, +, - and . only, it becomes a folder")
    with locked_at_once(places.work / LOCK, patience=IN_USE) as free:
        if not free:
            raise UserError(f"sweep {plan.name} is running already: wait for it, or give this one another sweep.name")
        snapshot = take_snapshot(places.project, plan.name)
        with orderly_end(places):
            return _run(plan, places, snapshot, overrides)


def _run(plan: Plan, places: Places, snapshot: Snapshot, overrides: Sequence[str]) -> tuple[int, int]:
    conf = extract(places.project, snapshot.commit, "conf", places.work)
    machine = hashlib.sha256(write_machine(places.project).read_bytes()).hexdigest()
    job = Job(places=places, snapshot=snapshot, machine=machine)
    shared = shared_overrides([trial.overrides for trial in plan.trials])
    planned = [
        job.prepare(trial.overrides, trial.values, label_of(trial.overrides, shared)).name for trial in plan.trials
    ]
    _announce(plan, places, snapshot, overrides)
    trials = _lister(places, planned)
    recorder = Recorder(places, trials, datasets={str(trial.values["dataset"]["name"]) for trial in plan.trials})
    table = LiveTable(places, trials)
    with recorder, table, ended_together(places):
        own = [f"sweep.name={plan.name}", f"hydra.sweep.dir={places.work / 'hydra'}"]
        multirun(conf, _task(job, timed=not plan.times_last), [*overrides, *own])
        for trial in trials():
            if trial.state == "untimed":
                params = places.trial(trial.name) / SNAPSHOT
                job.run(trial.overrides, yaml.safe_load(params.read_text("utf-8")))
    done = trials()
    table.summary()
    recorder.report()
    if not recorder.problem:
        tell_outcome(places.project, plan.name, recorder.datasets)
    return sum(trial.state != "done" for trial in done), len(done)


def _task(job: Job, *, timed: bool) -> "Callable[[DictConfig], float | None]":
    """What the launcher calls, in whatever process: all that it needs travels with it."""

    def task(config: "DictConfig") -> float | None:
        from hydra.core.hydra_config import HydraConfig

        overrides = [text for text in HydraConfig.get().overrides.task if not text.lstrip("+~").startswith(FREE)]
        return job.run(overrides, values_of(config), timed=timed)

    return task


def _lister(places: Places, planned: Sequence[str]) -> Callable[[], list[Trial]]:
    """A function that gives the trials of this sweep as they are now: those planned, and those begun meanwhile."""
    begun = time.time()

    def trials() -> list[Trial]:
        known = [places.trial(name) for name in planned]
        others = [path.parent for path in sorted(places.results.glob(f"*/{STATE}")) if path.parent not in known]
        found = [(folder in known, read_trial(folder)) for folder in [*known, *others]]
        return [trial for mine, trial in found if trial is not None and (mine or trial.started >= begun)]

    return trials


def _announce(plan: Plan, places: Places, snapshot: Snapshot, overrides: Sequence[str]) -> None:
    facts = {"name": plan.name, "overrides": list(overrides), "launcher": plan.launcher, "commit": snapshot.commit}
    write_json(places.results / "sweep.json", facts)
    edits = f", uncommitted edits in {snapshot.edited} files included" if snapshot.edited else ""
    number = f"{len(plan.trials)} trials" if plan.trials else "trials as the sweeper chooses"
    print(f"sweep {plan.name}: {number} of {snapshot.commit[:10]}{edits}; results in {places.results}", flush=True)
