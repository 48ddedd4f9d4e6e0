"""Telling MLflow of trials while others run: one thread, so that MLflow is imported and its store opened once."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from netwright.deployment.timing_lock import timing_alone
from pipelines.sweep.places import RESULTS, Places
from pipelines.sweep.state import OVER, Trial
from pipelines.tracking.sweeps import SweepRecord
from stages._entry.failures import complain

_LOOK = 1.0  # seconds between looks at the trials
TIMING_LOCK = "timing.lock"  # the benchmark stage's: recording takes it too, as work that would disturb a timing


class Recorder:
    """Records the sweep before its trials start, each trial when it is over, and how the sweep ended.

    A store that cannot be used stops nothing: the results lie in files, and ``report`` says how to record them later.
    """

    def __init__(self, places: Places, trials: Callable[[], list[Trial]], datasets: set[str]) -> None:
        self.places, self.trials, self.datasets = places, trials, datasets
        self.record = SweepRecord(places.project, places.name)
        self.problem = ""
        self.seen: set[tuple[str, str, float]] = set()
        self.begun, self.ending = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._work, name="recorder", daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        self.begun.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ending.set()
        self.thread.join()
        self.problem = ""  # a store that was away may be back
        self._try(lambda: self._record_new(self.trials()))
        self._try(lambda: self._end(interrupted=kind is not None))

    def report(self) -> None:
        """One line on stderr where something could not be recorded."""
        if self.problem:
            again = f"python -m pipelines.record {RESULTS}/{self.places.name}"
            complain("record", f"not recorded ({self.problem}); the results are kept: {again} does it later")

    def _work(self) -> None:
        self._try(lambda: self.record.begin(self.datasets))
        if self.problem:
            complain("record", f"{self.problem}; the sweep goes on, and is recorded at its end if the store is back")
        self.begun.set()
        while not self.ending.wait(_LOOK):
            self._try(lambda: self._record_new(self.trials()))

    def _record_new(self, trials: list[Trial]) -> None:
        for trial in trials:
            known = (trial.name, trial.state, trial.finished)
            if trial.state not in OVER or known in self.seen:
                continue
            with timing_alone(self.places.scratch / TIMING_LOCK):
                self.record.trial(self.places.trial(trial.name))
            self.seen.add(known)

    def _end(self, *, interrupted: bool) -> None:
        self.record.end([self.places.trial(trial.name) for trial in self.trials()], interrupted=interrupted)

    def _try(self, work: Callable[[], None]) -> None:
        """Do ``work`` unless the store has failed, and note what it, its driver or the network raise.

        The results are safe in files by then, so it fails nothing.
        """
        if self.problem:
            return
        try:
            work()
        except Exception as error:  # noqa: BLE001
            self.problem = str(error).strip() or type(error).__name__
