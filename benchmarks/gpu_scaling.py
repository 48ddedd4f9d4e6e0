"""Training images/s of several processes, a GPU each, against one, in turns.

    python -m benchmarks.gpu_scaling --device cuda [--processes 2] [--batch 64] [--size 640 640] [--precision bf16]
        [--repeat 5] [--epochs 9] [--rounds 2] [--set SECTION.KEY=VALUE ...] [--out FILE]

Every process has --batch pictures of a step, so that each GPU is as full as the one (weak scaling); gradients and the
loss's normaliser are summed over all in every step. params.yaml's network and augmentation, random weights; an epoch
shows data/converted's train split --repeat times; medians over the epochs after the first 5.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks.before_measuring import check_out
from benchmarks.changed_params import parsed_changes, refuse_owned
from benchmarks.step_process import OWNERS, check_steps, step_lines
from benchmarks.step_speed import PRECISIONS
from benchmarks.whole_number import at_least
from netwright.artifacts.whole_file import write_json
from netwright.errors import UserError
from stages._entry.failures import guarded

OWN = OWNERS | {"train.precision": "--precision"}


def changes_of(given: argparse.Namespace, processes: int) -> dict[str, Any]:
    """What the arguments change of params.yaml for ``processes``. Raises UserError for one that two of them name."""
    changes: dict[str, Any] = {"train.batch_size": given.batch * processes, "train.epochs": given.epochs}
    changes |= {"pretrain_init.weights": "random", "model.height": given.size[0], "model.width": given.size[1]}
    own = parsed_changes(given.set)
    refuse_owned(own, OWN)
    return changes | own


def rate(given: argparse.Namespace, processes: int) -> float:
    """Images/s of ``processes`` together. Raises UserError where they fail."""
    changes = changes_of(given, processes)
    asked = {"project": str(given.project), "changes": changes, "device": given.device, "processes": processes}
    asked |= {"precisions": [given.precision], "repeat": given.repeat * processes}
    who = f"{processes} processes"
    lines = [line for line in step_lines(asked, who=who, limit_s=given.limit) if line.startswith("{")]
    if not lines:
        raise UserError(f"{who} ended without a result: see above")
    found = json.loads(lines[-1])[given.precision]
    if "failed" in found:
        raise UserError(f"{who} failed: {found['failed']}")
    return float(found["images_per_second"])


def run(given: argparse.Namespace) -> None:
    """Check, measure in turns, print and keep each round."""
    check_out(given.out)
    check_steps(given.project, changes_of(given, given.processes), given.device, given.processes)
    rates: dict[int, list[float]] = {1: [], given.processes: []}
    for number in range(given.rounds):
        for processes, values in rates.items():
            values.append(rate(given, processes))
            print(f"round {number + 1}: {processes} processes {values[-1]:.1f} images/s", flush=True)
        ratio = statistics.median(rates[given.processes]) / statistics.median(rates[1])
        print(f"{given.processes} processes against 1: {ratio:.2f} times", flush=True)
        if given.out:
            write_json(given.out, {str(processes): values for processes, values in rates.items()})


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--project", type=Path, default=Path())
    parser.add_argument("--device", choices=("cpu", "cuda"), required=True)
    parser.add_argument("--processes", type=at_least(2), default=2)
    parser.add_argument("--batch", type=at_least(1), default=64, help="of each process")
    parser.add_argument("--size", type=at_least(1), nargs=2, default=(640, 640), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--precision", choices=list(PRECISIONS), default="bf16")
    parser.add_argument("--repeat", type=at_least(1), default=5)
    parser.add_argument("--epochs", type=at_least(1), default=9)
    parser.add_argument("--rounds", type=at_least(1), default=2)
    parser.add_argument("--limit", type=float, default=300, help="seconds that one measurement may take")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    sys.exit(guarded("gpu_scaling", lambda: run(given)))


if __name__ == "__main__":
    main()
