"""Named recipes, several seeds each, several processes on one device: results as they come, a table, intervals.

    python -m benchmarks.recipes run benchmarks/recipes.yaml --out runs --seeds 1 2 3 [--workers 4] [--limit 540]
    python -m benchmarks.recipes table runs
    python -m benchmarks.recipes compare runs FIRST SECOND    # SECOND minus FIRST on val and test; errors at borders

``run`` reads params.yaml, data/converted and the YAML table of changes, and appends a line to OUT/results.jsonl as each
training ends. Given again, it does only what has no line yet. Detections of every run on val and test are kept. FIRST
and SECOND are recipes of OUT, or detections of another tool: COCO results in JSON or our Parquet, with commas between
the files of several seeds ("yolo/1-{split}.json,yolo/2-{split}.json"). Everything is chosen on val.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml

from benchmarks import recipe_results
from benchmarks.changed_params import changed_settings, parsed_changes, read_params
from benchmarks.recipe_compare import border_lines, difference_lines, evaluated, files_of
from benchmarks.recipe_run import Place, Run, backbone_alone, inputs_of, prepare, seeded, train_once
from benchmarks.side_by_side import in_child, run_jobs
from netwright.errors import UserError
from netwright.evaluation.truth import read_truth
from stages import paths
from stages._entry.failures import guarded


def read_table(path: Path) -> dict[str, dict[str, Any]]:
    """The changes of each recipe: ``all`` holds those of every one, ``recipes`` each one's own."""
    try:
        table = yaml.safe_load(path.read_text("utf-8"))
        common = table.get("all") or {}
        return {str(name): common | (own or {}) for name, own in table["recipes"].items()}
    except FileNotFoundError:
        raise UserError(f"no table of recipes at {path}") from None
    except (AttributeError, KeyError, TypeError, yaml.YAMLError) as error:
        raise UserError(
            f"{path} is no table of recipes ({error}): it needs `recipes: {{name: {{key: value}}}}`"
        ) from None


def add_place(parser: argparse.ArgumentParser) -> None:
    """The options that say where and how to train."""
    parser.add_argument("--project", type=Path, default=Path())
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--device", choices=("cpu", "cuda"), required=True)
    parser.add_argument("--workers", type=int, default=1, help="trainings at a time")
    parser.add_argument("--limit", type=float, default=1e9, help="seconds after which all that runs is killed")
    parser.add_argument("--failures", type=int, default=2, help="failed trainings that end it all")
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="SECTION.KEY=VALUE", help="for every recipe"
    )
    parser.add_argument("--backbone-of", type=Path, help="model folder whose backbone stands for the catalog's weights")
    parser.add_argument("--keep-models", action="store_true")


def place_of(arguments: argparse.Namespace) -> Place:
    """Where to train, as asked."""
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    backbone = backbone_alone(arguments.backbone_of, out / "backbone") if arguments.backbone_of else None
    return Place(
        data=arguments.project / paths.CONVERTED,
        scratch=arguments.project / ".netwright",
        out=out,
        device=arguments.device,
        backbone=backbone,
        keep_models=arguments.keep_models,
    )


def planned(arguments: argparse.Namespace, recipes: Mapping[str, Mapping[str, Any]], place: Place) -> list[Run]:
    """Every seed of every recipe, all recipes of a seed before the next: cut off, it has something of each."""
    params, common = read_params(arguments.project), parsed_changes(arguments.set)
    settings = {name: changed_settings(params, {**changes, **common}) for name, changes in recipes.items()}
    inputs = inputs_of(place)
    return [seeded(name, seed, settings[name], inputs) for seed in dict.fromkeys(arguments.seeds) for name in settings]


def train_all(runs: Sequence[Run], place: Place, arguments: argparse.Namespace) -> None:
    """Train what has no line of results yet. Raises UserError where not everything ended well."""
    waiting = recipe_results.still_to_do(runs, recipe_results.read(place.out))
    print(f"{len(runs)} trainings asked for, {len(waiting)} to do, {arguments.workers} at a time on {place.device}")
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
    place = place_of(arguments)
    try:
        train_all(planned(arguments, chosen, place), place, arguments)
    finally:
        print(recipe_results.table(recipe_results.read(place.out)))


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
    compare.add_argument("--resamples", type=int, default=2000)
    compare.add_argument("--first-category", type=int, choices=(0, 1), default=1, help="id of the first class, in JSON")
    arguments = parser.parse_args()
    work = {
        "run": _run,
        "table": lambda given: print(recipe_results.table(recipe_results.read(given.out))),
        "compare": _compare,
    }[arguments.verb]
    sys.exit(guarded("recipes", lambda: work(arguments)))


if __name__ == "__main__":
    main()
