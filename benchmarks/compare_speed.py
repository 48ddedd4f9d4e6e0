"""How long a comparison of many trials takes beyond importing MLflow and opening its store.

    python -m benchmarks.compare_speed [--trials 1000] [--rounds 5]

A store is made with one sweep of that many trials (three parameters varied, 93 parameters, 30 metrics and 20 tags each)
and two stage runs below each trial; the two runs that the comparison looks into keep their raw results. Each round has
three processes: one imports MLflow and opens the store, one is the command as a user gives it, page included, one is
MLflow's own search for the same runs. What the other two take beyond the first is told, wall clock.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from statistics import median

from pipelines.compare.comparison import interesting_pair, surveyed
from pipelines.compare.selection import sweep_runs
from pipelines.tracking.store import open_store, store_uri
from tests.pipelines.recorded_trials import make_sweep, metrics_of, params_of, tags_of, wide_sweep, write_files

GOAL = 4.0  # seconds
ROOT = Path(__file__).resolve().parents[1]
_OPEN = """
from pathlib import Path
from pipelines.tracking.store import open_store
with open_store(Path.cwd()) as client:
    client.search_experiments(max_results=1)
"""
_SEARCH = f"""{_OPEN}
    wanted = "tags.`netwright.sweep` = 'many' and tags.`netwright.kind` = 'pipeline'"
    assert len(client.search_runs(["1"], wanted, max_results=50000)) == int(sys.argv[1])
""".replace("\nfrom", "\nimport sys\nfrom", 1)
WAYS = {"open": ["-c", _OPEN], "compare": ["-m", "pipelines.compare", "--sweep", "many"], "search": ["-c", _SEARCH]}


def fill(project: Path, count: int) -> None:
    """A store with ``count`` trials, written straight into MLflow's tables: through its client this takes minutes."""
    from mlflow.store.tracking.dbmodels import models
    from sqlalchemy import create_engine, insert

    with open_store(project) as client:
        make_sweep(client, project, "many", [], files=False)
        experiment = client.get_experiment_by_name("digits")
        assert experiment is not None
        number = int(experiment.experiment_id)
    rows: dict[str, list[dict[str, object]]] = {"SqlRun": [], "SqlTag": [], "SqlParam": [], "SqlLatestMetric": []}
    for order, point in enumerate(wide_sweep(count)):
        run = add_run(
            rows, project, number, order, tags_of(point, "many", "parent"), params_of(point), metrics_of(point)
        )
        for stage in ("prune", "qat"):
            tags = {"netwright.kind": "stage", "stage": stage, "mlflow.parentRunId": run}
            add_run(rows, project, number, order, tags, {f"{stage}.epochs": "1"}, metrics_of(point))
    engine = create_engine(store_uri(project))
    with engine.begin() as connection:
        for table, own in rows.items():
            connection.execute(insert(getattr(models, table)), own)
    engine.dispose()


def add_run(
    rows: dict[str, list[dict[str, object]]],
    project: Path,
    experiment: int,
    order: int,
    tags: dict[str, str],
    params: dict[str, str],
    metrics: dict[str, float],
) -> str:
    """Add one finished run to ``rows`` of MLflow's tables; return its id."""
    run = uuid.uuid4().hex
    place = (project / "mlruns" / run / "artifacts").as_uri()
    facts = {"run_uuid": run, "name": tags.get("netwright.trial", "stage")[:200], "experiment_id": experiment}
    facts |= {"user_id": "somebody", "source_type": "LOCAL", "source_name": "", "source_version": ""}
    times = {"start_time": 1_700_000_000_000 + order, "end_time": 1_700_000_001_000 + order}
    rows["SqlRun"].append(facts | times | {"status": "FINISHED", "lifecycle_stage": "active", "artifact_uri": place})
    rows["SqlTag"] += [{"run_uuid": run, "key": key, "value": value} for key, value in tags.items()]
    rows["SqlParam"] += [{"run_uuid": run, "key": key, "value": value} for key, value in params.items()]
    rows["SqlLatestMetric"] += [
        {"run_uuid": run, "key": key, "value": value, "timestamp": 1, "step": 0, "is_nan": False}
        for key, value in metrics.items()
    ]
    return run


def keep_files(project: Path, count: int) -> None:
    """Give the two runs that will be held against each other their reports and raw results."""
    by_name = {point.name: point for point in wide_sweep(count)}
    uri = store_uri(project)
    with open_store(project) as client:
        pair = interesting_pair(surveyed(sweep_runs(client, uri, "many", None)))
        for trial in pair or ():
            with tempfile.TemporaryDirectory() as folder:
                write_files(Path(folder), by_name[trial.tags["netwright.trial"]])
                client.log_artifacts(trial.run, folder)


def measure(project: Path, trials: int) -> dict[str, float]:
    """One round: seconds of each way, a process from its start to its end."""
    environment, spent = {**os.environ, "PYTHONPATH": str(ROOT)}, {}
    for name, words in WAYS.items():
        command = [sys.executable, *words, *([str(trials)] if name == "search" else [])]
        begun = time.perf_counter()
        done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
        spent[name] = time.perf_counter() - begun
        if done.returncode:
            sys.exit(done.stderr)
    return spent


def main() -> None:
    """Make the store, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    with tempfile.TemporaryDirectory() as place:
        project = Path(place)
        (project / "params.yaml").write_text((ROOT / "params.yaml").read_text("utf-8"))
        fill(project, given.trials)
        keep_files(project, given.trials)
        rounds = [measure(project, given.trials) for _ in range(given.rounds)]
    print(f"{given.trials} trials, {given.rounds} rounds, load {os.getloadavg()[0]:.1f}; medians:")
    print(f"  import MLflow, open the store    {median(one['open'] for one in rounds):6.2f} s")
    for name, told in (("compare", "compare"), ("search", "MLflow's own search_runs")):
        beyond = median(one[name] - one["open"] for one in rounds)
        goal = f"  (goal {GOAL} s: {'reached' if beyond <= GOAL else 'missed'})" if name == "compare" else ""
        print(f"  {told:24} beyond {beyond:6.2f} s{goal}")


if __name__ == "__main__":
    main()
