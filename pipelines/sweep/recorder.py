"""Telling MLflow of trials while others run: one thread, so that MLflow is imported and its store opened once."""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self

from netwright.deployment.timing_lock import timing_alone
from pipelines.mlflow_view import sweep_link
from pipelines.record_sweep import SweepRecord
from pipelines.store import is_remote, open_store, store_uri
from pipelines.sweep.places import RESULTS, Places
from pipelines.sweep.state import OVER, Trial
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
        self.problem, self.links = "", list[str]()
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
        with self._tried():
            self._record_new(self.trials())
        with self._tried():
            trials = self.trials()
            self.record.end([self.places.trial(trial.name) for trial in trials], interrupted=kind is not None)
            self.links = _links(self.places, self.datasets, trials)

    def report(self) -> None:
        """Where to look at the sweep, or one line on stderr where something could not be recorded."""
        local = "" if is_remote(store_uri(self.places.project)) else " (make ui serves it)"
        for link in self.links:
            print(f"MLflow: {link}{local}", flush=True)
        if self.problem:
            again = f"python -m pipelines.record {RESULTS}/{self.places.name}"
            complain("record", f"not recorded ({self.problem}); the results are kept: {again} does it later")

    def _work(self) -> None:
        with self._tried():
            self.record.begin(self.datasets)
        self.begun.set()
        while not self.ending.wait(_LOOK):
            with self._tried():
                self._record_new(self.trials())

    def _record_new(self, trials: list[Trial]) -> None:
        for trial in trials:
            known = (trial.name, trial.state, trial.finished)
            if self.problem or trial.state not in OVER or known in self.seen:
                continue
            with timing_alone(self.places.scratch / TIMING_LOCK):
                self.record.trial(self.places.trial(trial.name))
            self.seen.add(known)

    @contextlib.contextmanager
    def _tried(self) -> Iterator[None]:
        """Note what a store, its driver or the network raise: the work is safe in files, so it fails nothing."""
        if self.problem:
            yield
            return
        try:
            yield
        except Exception as error:  # noqa: BLE001
            self.problem = str(error).strip() or type(error).__name__


def _links(places: Places, datasets: Iterable[str], trials: Sequence[Trial]) -> list[str]:
    """A prepared view of the sweep for each dataset, with charts over the values that differ."""
    every = [dict(text.split("=", 1) for text in trial.overrides if "=" in text) for trial in trials]
    names = sorted({name for values in every for name in values if "." in name})
    differing = [name for name in names if len({values.get(name) for values in every}) > 1]
    with open_store(places.project) as client:
        found = [client.get_experiment_by_name(dataset) for dataset in sorted(datasets)]
        uri = store_uri(places.project)
        return [sweep_link(client, uri, each.experiment_id, places.name, differing) for each in found if each]
