"""The sweep in the terminal: a live table where there is one, a line for each step where there is none."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from pipelines.sweep.places import Places
from pipelines.sweep.state import LOG, OVER, Trial, label_of, shared_overrides
from pipelines.tracking.result import OBJECTIVE, result_metrics

_LOOK = 1.0  # seconds between looks: more often would be work that disturbs a timing
_MOST_ROWS = 30
_NARROWEST = 120  # characters that the table needs
_STYLES = {"done": "", "failed": "red", "running": "cyan", "interrupted": "yellow"}
_AT_WORK_FIRST = ("running", "failed", "done", "untimed", "waiting", "interrupted")


@dataclass(frozen=True)
class Column:
    """A metric of the deployed export, divided by ``unit``."""

    title: str
    metric: str
    form: str
    unit: float = 1.0


COLUMNS = (
    Column("val mAP50-95", OBJECTIVE, "{:.4f}"),
    Column("test mAP50-95", "deployed/test/map50_95", "{:.4f}"),
    Column("p50 ms", "deployed/latency_ms/p50", "{:.2f}"),
    Column("images/s", "deployed/throughput_ips", "{:.1f}"),
    Column("MB", "deployed/size_bytes", "{:.2f}", 1e6),
)


class LiveTable:
    """Shows the trials of a sweep until the block ends."""

    def __init__(self, places: Places, trials: Callable[[], list[Trial]], console: Console | None = None) -> None:
        self.places, self.trials, self.console = places, trials, console or Console()
        self.said: dict[str, str] = {}
        self.metrics: dict[tuple[str, float], dict[str, float]] = {}
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._work, name="table", daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ending.set()
        self.thread.join()

    def summary(self) -> None:
        """The whole table, why trials failed, and which is best."""
        trials = self.trials()
        metrics = self._metrics(trials)
        self.console.width = max(self.console.width, _NARROWEST)
        self.console.print(table(trials, metrics, most=len(trials)))
        for trial in trials:
            if trial.state == "failed":
                self._print(f"{trial.name}: {trial.error} ({self._place(trial.name)}/{LOG})")
        if best := best_of(metrics):
            self._print(f"best on val: {best}, in {self._place(best)}")

    def _work(self) -> None:
        if not self.console.is_terminal:
            while not self.ending.wait(_LOOK):
                self._say()
            self._say()
            return
        with Live(console=self.console, auto_refresh=False, transient=True) as live:
            while not self.ending.wait(_LOOK):
                trials = self.trials()
                live.update(table(trials, self._metrics(trials)), refresh=True)

    def _say(self) -> None:
        """A line for each trial that went on."""
        for trial in self.trials():
            text = trial.error if trial.state == "failed" else trial.stage or trial.state
            if text != "waiting" and self.said.get(trial.name) != text:
                self.said[trial.name] = text
                self._print(f"{trial.name}: {text}")

    def _print(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _place(self, name: str) -> str:
        return str(self.places.trial(name).relative_to(self.places.project))

    def _metrics(self, trials: Sequence[Trial]) -> dict[str, dict[str, float]]:
        """The headlines of each trial that is done, read once."""
        for trial in trials:
            if trial.state == "done" and (trial.name, trial.finished) not in self.metrics:
                self.metrics[trial.name, trial.finished] = result_metrics(self.places.trial(trial.name))
        return {trial.name: self.metrics.get((trial.name, trial.finished), {}) for trial in trials}


def table(trials: Sequence[Trial], metrics: Mapping[str, Mapping[str, float]], most: int = _MOST_ROWS) -> Table:
    """A row for each trial, the best so far in bold; where there are more than ``most``, those at work come first."""
    over, best = sum(trial.state in OVER for trial in trials), best_of(metrics)
    common = shared_overrides([trial.overrides for trial in trials])  # they need no repeating in every row
    title = ", ".join([f"{over} of {len(trials)} trials", *sorted(common)])
    shown = Table(box=None, pad_edge=False, header_style="bold", title=title, title_justify="left")
    for name in ("trial", "state", "ran"):
        shown.add_column(name)
    for name in ("seconds", *(column.title for column in COLUMNS)):
        shown.add_column(name, justify="right")
    ordered = sorted(trials, key=lambda trial: _AT_WORK_FIRST.index(trial.state)) if len(trials) > most else trials
    for trial in ordered[:most]:
        style = "bold green" if trial.name == best else _STYLES.get(trial.state, "dim")
        shown.add_row(*_cells(trial, metrics[trial.name], common), style=style)
    return shown


def best_of(metrics: Mapping[str, Mapping[str, float]]) -> str | None:
    """The name with the highest objective, on val; None where none has one."""
    scored = {name: values[OBJECTIVE] for name, values in metrics.items() if OBJECTIVE in values}
    return max(scored, key=lambda name: scored[name]) if scored else None


def _cells(trial: Trial, metrics: Mapping[str, float], common: set[str]) -> list[str]:
    end = time.time() if trial.state == "running" else trial.finished
    seconds = f"{end - trial.started:.0f}" if trial.started and end else ""
    ran = ", ".join(trial.ran) or ("restored" if trial.state == "done" else "")
    numbers = [
        column.form.format(metrics[column.metric] / column.unit) if column.metric in metrics else ""
        for column in COLUMNS
    ]
    name = label_of(trial.overrides, common) or trial.name
    return [name, trial.stage if trial.state == "running" else trial.state, ran, seconds, *numbers]
