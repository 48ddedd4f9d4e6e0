"""What pretrained weights save: seconds of training to 95 % of the final val mAP50-95, against a random start.

    python -m benchmarks.time_to_accuracy --out DIR --device cuda --seeds 1 2 3 [--share 0.95] [--set train.epochs=150]
        [--weights efficientnet_lite0_imagenet] [--backbone-of models/init] [--workers 2] [--limit 540]

Both starts train with params.yaml's recipe and are scored on val after every epoch (--every); scoring is not counted.
The final accuracy is the best of the run, and two goals are shown: the same for both, 95 % of what the random start
ends with (who has no pretrained weights gets no further), and each start's own. Ratios are of means over seeds. Run
with --workers 1 where the seconds are to be published: trainings side by side slow each other down.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks import recipe_results
from benchmarks.changed_params import parsed_changes, refuse_owned
from benchmarks.recipe_lock import alone_in
from benchmarks.recipe_plan import add_place, place_of, planned
from benchmarks.recipes import train_all
from benchmarks.whole_number import at_least
from netwright.errors import UserError
from netwright.evaluation.spread import spread
from stages._entry.failures import guarded

STARTS = ("pretrained", "random")
OWNERS = {
    "pretrain_init.weights": "--weights",  # the random start would not be random
    "train.validate_every": "--every",
}
Curve = Sequence[tuple[float, float]]


def seconds_to(curve: Curve, goal: float) -> float | None:
    """When ``curve`` of (seconds, accuracy) first reaches ``goal``; None where it never does."""
    return next((seconds for seconds, accuracy in curve if accuracy >= goal), None)


def final_of(curve: Curve) -> float:
    """The best accuracy of the run, which is the one that training keeps."""
    return max(accuracy for _, accuracy in curve)


def report(curves: dict[str, list[Curve]], share: float) -> list[str]:
    """Lines for the common goal and for each start's own; ``curves`` has as many seeds of both starts."""
    common = [share * final_of(curve) for curve in curves["random"]]
    lines = []
    for start, runs in curves.items():
        lines.append(f"{start}: final val mAP50-95 {spread([final_of(curve) for curve in runs]).mean:.4f}")
    lines += _reached(f"to {share:.0%} of the random start's final", curves, dict.fromkeys(STARTS, common))
    own = {start: [share * final_of(curve) for curve in runs] for start, runs in curves.items()}
    return lines + _reached(f"to {share:.0%} of its own final", curves, own)


def _reached(what: str, curves: dict[str, list[Curve]], goals: dict[str, list[float]]) -> list[str]:
    means: dict[str, float] = {}
    lines = []
    for start, runs in curves.items():
        times = [seconds_to(curve, goal) for curve, goal in zip(runs, goals[start], strict=True)]
        known = [time for time in times if time is not None]
        shown = ", ".join("never" if time is None else f"{time:.1f}" for time in times)
        lines.append(f"{start}, {what}: {shown} s")
        if len(known) == len(times):
            means[start] = spread(known).mean
    if len(means) == len(STARTS):
        lines.append(f"  ratio of means, random / pretrained: {means['random'] / means['pretrained']:.2f}")
    return lines


def _recipes(given: argparse.Namespace) -> dict[str, dict[str, Any]]:
    if given.weights == "random":
        raise UserError("--weights random is the other side of the comparison: name pretrained ones")
    changes = parsed_changes(given.set)
    refuse_owned(changes, OWNERS)
    if "train.patience" in changes:
        raise UserError("--set train.patience: here it is 0, since a start that stops early has no final accuracy")
    common: dict[str, Any] = {"train.validate_every": given.every, "train.patience": 0}
    weights = {"pretrained": given.weights, "random": "random"}
    return {start: {**common, "pretrain_init.weights": weights[start]} for start in STARTS}


def _run(given: argparse.Namespace) -> None:
    recipes = _recipes(given)
    with alone_in(given.out):
        place = place_of(given)
        train_all(planned(given, recipes, place), place, given)
    found = {(line["recipe"], line["seed"]): line["curve"] for line in recipe_results.read(place.out)}
    curves = {start: [found[start, seed] for seed in given.seeds] for start in STARTS}
    print("\n".join(report(curves, given.share)))


def main() -> None:
    """Train both starts and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_place(parser)
    parser.add_argument("--weights", default="efficientnet_lite0_imagenet", help="as pretrain_init.weights")
    parser.add_argument("--share", type=float, default=0.95)
    parser.add_argument("--every", type=at_least(1), default=1, help="epochs between looks at val")
    sys.exit(guarded("time_to_accuracy", lambda: _run(parser.parse_args())))


if __name__ == "__main__":
    main()
