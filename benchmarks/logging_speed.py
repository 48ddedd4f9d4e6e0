"""What a metric costs: ``python -m benchmarks.logging_speed [--epochs 100] [--sample 10]``.

Both ways put the metrics of a training into one SQLite store: MLflow's synchronous ``log_metric`` for each (measured
on the first ``sample`` epochs, a call costs the same in all), and what a training stage and its recording do: a
line in the journal an epoch, and rows in the store's tables afterwards. Rounds alternate; imports and opening the store
are left out on both sides. Every value is read back and compared.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

from netwright.training.recipe import EpochMetrics
from stages._training.epochs import EpochReporter

if TYPE_CHECKING:
    from mlflow import MlflowClient


def epochs_of(count: int) -> list[EpochMetrics]:
    """The metrics of a training as they come."""
    names = [field.name for field in fields(EpochMetrics) if field.name != "epoch"]
    return [EpochMetrics(epoch=n, **{name: n + k / 10 for k, name in enumerate(names)}) for n in range(1, count + 1)]


def synchronous(client: "MlflowClient", run: str, history: Sequence[EpochMetrics]) -> None:
    """One call for every metric."""
    for metrics in history:
        for name, value in asdict(metrics).items():
            if name != "epoch":
                client.log_metric(run, name, value, step=metrics.epoch)


def journalled(client: "MlflowClient", run: str, history: Sequence[EpochMetrics], journal: Path) -> tuple[float, float]:
    """Journal, then the store; the seconds of each."""
    from pipelines.tracking.client import log_batches

    begun = time.perf_counter()
    reporter = EpochReporter("train", len(history), journal)
    for metrics in history:
        reporter(metrics)
    written = time.perf_counter()
    now = time.time()
    rows = [(row.epoch, name, value) for row in history for name, value in asdict(row).items() if name != "epoch"]
    log_batches(client, run, {}, [(name, value, epoch, now) for epoch, name, value in rows])
    return written - begun, time.perf_counter() - written


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.logging_speed", description=__doc__)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--sample", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    history = epochs_of(given.epochs)
    count = given.epochs * (len(fields(EpochMetrics)) - 1)
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    from mlflow import MlflowClient

    ratios, lines = [], []
    with tempfile.TemporaryDirectory() as temporary:
        client = MlflowClient(f"sqlite:///{temporary}/mlflow.db")
        experiment = client.create_experiment("speed")
        for number in range(given.rounds + 1):
            one, other = (client.create_run(experiment).info.run_id for _ in range(2))
            begun = time.perf_counter()
            synchronous(client, one, history[: given.sample])
            slow = (time.perf_counter() - begun) * given.epochs / given.sample
            journal, batches = journalled(client, other, history, Path(temporary) / "journal.jsonl")
            if not number:  # everything is warm now
                continue
            for run, expected in ((one, history[: given.sample]), (other, history)):
                found = [sample.value for sample in client.get_metric_history(run, "loss")]
                assert found == [row.loss for row in expected], "a value was lost"
            ratios.append(slow / (journal + batches))
            lines.append(f"| {1e3 * slow / count:.2f} | {1e3 * journal / count:.4f} | {1e3 * batches / count:.4f} |")
    print(f"{count} metrics of {given.epochs} epochs")
    print("| log_metric, ms a metric | journal | tables |\n|---|---|---|")
    print("\n".join(lines))
    print(
        f"{statistics.median(ratios):.0f} times cheaper (median of {given.rounds} rounds, {min(ratios):.0f} at worst)"
    )
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
