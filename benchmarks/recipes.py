"""Named recipes, several seeds each, several processes on one device: results as they come, a table, intervals.

    python -m benchmarks.recipes run benchmarks/recipes.yaml --out runs --seeds 1 2 3 [--workers 4] [--limit 540]
    python -m benchmarks.recipes table runs
    python -m benchmarks.recipes compare runs FIRST SECOND    # SECOND minus FIRST on val and test; errors at borders

``run`` reads params.yaml, data/converted and the YAML table of changes, and appends a line to OUT/results.jsonl as each
training ends. Given again, it does only what has no line yet. One command at a time works in OUT, and its trainings
end with it. Detections of every run on val and test are kept. FIRST and SECOND are recipes of OUT, or detections of
another tool: COCO results in JSON or our Parquet of one model, with commas between the files of several seeds
("yolo/1-{split}.json,yolo/2-{split}.json"). Everything is chosen on val.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch

from benchmarks import recipe_results
from benchmarks.recipe_compare import border_lines, difference_lines, evaluated, files_of
from benchmarks.recipe_lock import alone_in
from benchmarks.recipe_plan import add_place, place_of, planned, read_table
from benchmarks.recipe_run import Place, Run, prepare
from benchmarks.recipe_training import model_folder, train_once
from benchmarks.side_by_side import in_child, run_jobs
from benchmarks.whole_number import at_least
from netwright.artifacts.model import WEIGHTS
from netwright.errors import UserError
from netwright.evaluation.truth import read_truth
from stages import paths
from stages._entry.failures import guarded


def train_all(runs: Sequence[Run], place: Place, arguments: argparse.Namespace) -> None:
    """Train what has no line of results yet. Raises UserError where not everything ended well."""
    waiting = recipe_results.still_to_do(runs, recipe_results.read(place.out), place.device)
    print(f"{len(runs)} trainings asked for, {len(waiting)} to do, {arguments.workers} at a time on {place.device}")
    _say_what_lacks_a_model([run for run in runs if run not in waiting], place)
    if not waiting:
        return
    begun = time.monotonic()
    in_child(lambda: prepare(waiting, place))
    jobs: list[tuple[str, Callable[[], None]]] = [(run.name, partial(_train, run, place)) for run in waiting]
    logs = place.out / "logs"
    left = arguments.limit - (time.monotonic() - begun)
    found = run_jobs(jobs, workers=arguments.workers, limit_s=left, failures=arguments.failures, logs=logs)
    print(
        f"{len(found.done)} done, {len(found.failed)} failed, {len(found.left)} left, {time.monotonic() - begun:.0f} s"
    )
    if found.failed or found.left:
        raise UserError(f"not everything was trained: {', '.join(found.failed + found.left)} (again goes on)")


def _say_what_lacks_a_model(done: Sequence[Run], place: Place) -> None:
    bare = [run.name for run in done if not (model_folder(place.out, run.name) / WEIGHTS).is_file()]
    if place.keep_models and bare:
        print(f"--keep-models comes too late for {', '.join(bare)}: trained without it, and not trained again")


def _train(run: Run, place: Place) -> None:
    torch.set_num_threads(run.settings.train.threads)
    line = train_once(run, place)
    recipe_results.append(place.out, line)
    print(line)


def _run(arguments: argparse.Namespace) -> None:
    recipes = read_table(arguments.table)
    if unknown := sorted(set(arguments.only) - set(recipes)):
        raise UserError(f"--only names {', '.join(unknown)}: the table has {', '.join(recipes)}")
    chosen = {name: changes for name, changes in recipes.items() if not arguments.only or name in arguments.only}
    with alone_in(arguments.out):
        place = place_of(arguments)
        try:
            train_all(planned(arguments, chosen, place), place, arguments)
        finally:
            print(recipe_results.table(recipe_results.read(place.out)))


def _table(arguments: argparse.Namespace) -> None:
    lines = recipe_results.read(arguments.out)
    if not lines:
        raise UserError(f"{arguments.out} has no {recipe_results.RESULTS} with results: is it an --out of run?")
    print(recipe_results.table(lines))


def _compare(arguments: argparse.Namespace) -> None:
    lines, names = recipe_results.read(arguments.out), (arguments.first, arguments.second)
    for split in ("val", "test"):
        truth = read_truth(arguments.project / paths.CONVERTED, split)
        sides = [
            [
                evaluated(file, truth, split, arguments.first_category)
                for file in files_of(name, arguments.out, lines, split)
            ]
            for name in names
        ]
        print("\n".join(difference_lines(*sides, names=names, split=split, resamples=arguments.resamples)), flush=True)
        for name, runs in zip(names, sides, strict=True):
            print("\n".join(border_lines(runs, name)), flush=True)


def main() -> None:
    """Run, show or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run")
    run.add_argument("table", type=Path)
    run.add_argument("--only", nargs="+", default=[], metavar="RECIPE")
    add_place(run)
    verbs.add_parser("table").add_argument("out", type=Path)
    compare = verbs.add_parser("compare")
    compare.add_argument("out", type=Path)
    compare.add_argument("first")
    compare.add_argument("second")
    compare.add_argument("--project", type=Path, default=Path())
    compare.add_argument("--resamples", type=at_least(1), default=2000)
    compare.add_argument("--first-category", type=int, choices=(0, 1), default=1, help="id of the first class, in JSON")
    arguments = parser.parse_args()
    work = {"run": _run, "table": _table, "compare": _compare}[arguments.verb]
    sys.exit(guarded("recipes", lambda: work(arguments)))


if __name__ == "__main__":
    main()
