"""What a sweep says when it is over: who is champion now, and where MLflow shows its trials."""

from collections.abc import Iterable
from pathlib import Path

from pipelines.compare.comparison import surveyed
from pipelines.compare.selection import sweep_runs
from pipelines.registry import crown, lines_of
from pipelines.tracking.store import open_store, store_uri
from pipelines.tracking.view import compare_link, serving_note, sweep_link
from stages._entry.failures import complain


def tell_outcome(project: Path, sweep: str, datasets: Iterable[str]) -> None:
    """Move the champion of each of ``datasets`` by the rule, and print links to prepared views of ``sweep``.

    The results are recorded by now, so whatever goes wrong here is said in one line and fails nothing.
    """
    said = set()
    for dataset in sorted(datasets):
        for step in (_champion, _links):
            try:
                step(project, sweep, dataset)
            except Exception as error:  # noqa: BLE001 a store, its driver, the network
                said.add(str(error).strip() or type(error).__name__)
    for reason in sorted(said):
        complain("sweep", reason)


def _champion(project: Path, sweep: str, dataset: str) -> None:
    for line in lines_of(crown(project, dataset=dataset, sweep=sweep)):
        print(line, flush=True)


def _links(project: Path, sweep: str, dataset: str) -> None:
    uri = store_uri(project)
    with open_store(project) as client:
        selection = sweep_runs(client, uri, sweep, dataset)
    found = surveyed(selection)
    params = [factor.names[0] for factor in found.factors]
    with open_store(project) as client:
        view = sweep_link(client, uri, found.trials[0].experiment, sweep, params)
    side_by_side = compare_link(uri, [(trial.run, trial.experiment) for trial in found.trials])
    print(f"sweep: charts{serving_note(uri)}: {view}", flush=True)
    print(f"sweep: side by side: {side_by_side}", flush=True)
    print(f"sweep: more: python -m pipelines.compare --sweep {sweep} --dataset {dataset}", flush=True)
