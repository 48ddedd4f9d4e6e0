"""``python -m pipelines.compare [RUN ...] [--sweep NAME]``: results side by side, and what made the difference.

With two runs: what changed between them and what it did to each class. With a sweep, or with all results of a dataset:
the Pareto front over accuracy on val, latency and size, its knee, and which parameters mattered.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from netwright.errors import UserError
from pipelines.compare.classes import Draws
from pipelines.compare.comparison import Comparison, interesting_pair, paired, surveyed, weighed, weighing_tasks
from pipelines.compare.files import fetch_files
from pipelines.compare.page import write_comparison_page
from pipelines.compare.selection import Selection, check_store, dataset_runs, named_runs, project_dataset, sweep_runs
from pipelines.compare.terminal import console_for_reading, print_comparison
from pipelines.compare.weighing import Weighing
from pipelines.tracking.store import open_store, store_uri
from pipelines.tracking.view import compare_link, serving_note, sweep_link
from stages import paths
from stages._entry.failures import guarded

if TYPE_CHECKING:
    from mlflow import MlflowClient

PAGE = paths.REPORTS / "compare/index.html"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked: ``runs`` by id or name, or a ``sweep``, or all results of ``dataset`` (None: params.yaml's)."""

    runs: tuple[str, ...] = ()
    sweep: str | None = None
    dataset: str | None = None
    draws: Draws = field(default_factory=Draws)
    out: Path = PAGE
    every: bool = False


def compare(project: Path, request: Request) -> tuple[Comparison, dict[str, str]]:
    """Compare, and return MLflow's own views of the same runs as texts with links.

    Raises UserError where there is nothing to compare or the store cannot be used.
    """
    uri = store_uri(project)
    check_store(uri)
    with Weighing(uri) as weighing, tempfile.TemporaryDirectory(prefix="netwright-") as scratch:
        with open_store(project) as client:
            selection = _selected(client, uri, project, request)
        found = surveyed(selection)
        weighing.begin(weighing_tasks(found))
        pair = interesting_pair(found)
        with open_store(project) as client:
            links = _links(client, uri, found, request.sweep)
            files = [fetch_files(client, trial, Path(scratch)) for trial in pair or ()]
        if pair:
            found = paired(found, pair, (files[0], files[1]), request.draws, project / paths.CONVERTED)
        return weighed(found, weighing.found()), links


def _selected(client: "MlflowClient", uri: str, project: Path, request: Request) -> Selection:
    if request.runs:
        return named_runs(client, request.runs)
    if request.sweep is not None:
        return sweep_runs(client, uri, request.sweep, request.dataset)
    return dataset_runs(client, uri, request.dataset or project_dataset(project))


def _links(client: "MlflowClient", uri: str, found: Comparison, sweep: str | None) -> dict[str, str]:
    pairs = [(trial.run, trial.experiment) for trial in found.trials]
    links = {"Side by side in MLflow": compare_link(uri, pairs)} if len(pairs) > 1 else {}
    if sweep is not None:
        params = [factor.names[0] for factor in found.factors]
        links["The sweep in MLflow"] = sweep_link(client, uri, found.trials[0].experiment, sweep, params)
    return links


def _request(arguments: Sequence[str] | None = None) -> Request:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.compare",
        description=__doc__.partition(": ")[2] if __doc__ else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", nargs="*", metavar="RUN", help="a run's id, the beginning of one, or its name")
    parser.add_argument("--sweep", metavar="NAME", help="the trials of this sweep")
    parser.add_argument("--dataset", metavar="NAME", help="whose results (default: the one of params.yaml)")
    parser.add_argument(
        "--split", choices=("val", "test"), default="val", help="whose pictures the classes are held on"
    )
    parser.add_argument("--resamples", type=int, default=1000, help="of the bootstrap, 100 or more")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap, 0 or more")
    parser.add_argument("--all", action="store_true", dest="every", help="print every trial, not the best alone")
    parser.add_argument("--out", type=Path, default=PAGE, help=f"the page (default: {PAGE})")
    given = parser.parse_args(arguments)
    if given.runs and (given.sweep or given.dataset):
        parser.error("name runs, or a sweep or a dataset, not both")
    if len(given.runs) == 1:
        parser.error("one run cannot be compared: name another")
    if given.resamples < 100 or given.seed < 0:
        parser.error("--resamples must be 100 or more, --seed 0 or more")
    draws = Draws(split=given.split, resamples=given.resamples, seed=given.seed)
    return Request(
        runs=tuple(given.runs), sweep=given.sweep, dataset=given.dataset, draws=draws, out=given.out, every=given.every
    )


def main() -> None:
    """Parse the command line, compare, print and write the page."""
    request = _request()
    if request.out.is_dir():
        raise UserError(f"--out {request.out} is a folder: name a file")
    found, links = compare(Path.cwd(), request)
    console = console_for_reading()
    print_comparison(found, console, every=request.every)
    write_comparison_page(request.out, found, links)
    console.print(f"\ncompare: {request.out}", soft_wrap=True)
    note = serving_note(store_uri(Path.cwd()))
    for text, address in links.items():
        console.print(f"{text}{note}: {address}", soft_wrap=True)


if __name__ == "__main__":
    sys.exit(guarded("compare", main))
