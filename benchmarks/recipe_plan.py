"""What is to be trained: the table of recipes, the options of the command line, and the runs that come of both."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from benchmarks.changed_params import changed_settings, parsed_changes, parsed_yaml, read_params, refuse_owned
from benchmarks.recipe_inputs import backbone_alone, inputs_of, with_own_weights
from benchmarks.recipe_run import Place, Run, seeded
from benchmarks.whole_number import at_least
from netwright.errors import UserError
from stages import paths

SEEDS = {"train.seed": "--seeds", "pretrain_init.seed": "--seeds"}


def read_table(path: Path) -> dict[str, dict[str, Any]]:
    """The changes of each recipe: ``all`` holds those of every one, ``recipes`` each one's own."""
    try:
        table = parsed_yaml(path.read_text("utf-8"))
        common = table.get("all") or {}
        recipes = {str(name): common | (own or {}) for name, own in table["recipes"].items()}
    except FileNotFoundError:
        raise UserError(f"no table of recipes at {path}") from None
    except (AttributeError, KeyError, TypeError, yaml.YAMLError) as error:
        raise UserError(
            f"{path} is no table of recipes ({error}): it needs `recipes: {{name: {{key: value}}}}`"
        ) from None
    if odd := [name for name in recipes if "/" in name]:
        raise UserError(f"{path} names a recipe {odd[0]!r}: its files are called so, choose a name without /")
    return recipes


def add_place(parser: argparse.ArgumentParser) -> None:
    """The options that say where and how to train."""
    parser.add_argument("--project", type=Path, default=Path())
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--device", choices=("cpu", "cuda"), required=True)
    parser.add_argument("--workers", type=at_least(1), default=1, help="trainings at a time")
    parser.add_argument("--limit", type=float, default=1e9, help="seconds after which all that runs is killed")
    parser.add_argument("--failures", type=at_least(1), default=2, help="failed trainings that end it all")
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="SECTION.KEY=VALUE", help="for every recipe"
    )
    parser.add_argument("--backbone-of", type=Path, help="model folder whose backbone stands for the catalog's weights")
    parser.add_argument("--keep-models", action="store_true")


def place_of(arguments: argparse.Namespace) -> Place:
    """Where to train, as asked."""
    out: Path = arguments.out
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
    refuse_owned(common, SEEDS)
    settings = {name: changed_settings(params, {**changes, **common}) for name, changes in recipes.items()}
    read = inputs_of(place)
    inputs = {name: with_own_weights(read, own.pretrain_init.weights) for name, own in settings.items()}
    seeds = dict.fromkeys(arguments.seeds)
    return [seeded(name, seed, settings[name], inputs[name]) for seed in seeds for name in settings]
