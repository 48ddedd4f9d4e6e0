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
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.changed_params import changed_settings, parsed_changes, read_params
from benchmarks.step_speed import PRECISIONS
from netwright.errors import UserError
from stages._entry.failures import guarded


def rate(given: argparse.Namespace, processes: int) -> float:
    """Images/s of ``processes`` together. Raises UserError where they fail."""
    changes: dict[str, Any] = {"train.batch_size": given.batch * processes, "train.epochs": given.epochs}
    changes |= {"pretrain_init.weights": "random", "model.height": given.size[0], "model.width": given.size[1]}
    changes |= parsed_changes(given.set)
    changed_settings(read_params(given.project), changes)
    asked = {"project": str(given.project), "changes": changes, "device": given.device, "processes": processes}
    asked |= {"precisions": [given.precision], "repeat": given.repeat * processes}
    command = [sys.executable, "-m", "benchmarks.step_speed", json.dumps(asked)]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=given.limit, check=False)
    except subprocess.TimeoutExpired:
        raise UserError(f"{processes} processes took more than {given.limit:.0f} s: fewer --epochs") from None
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise UserError(f"{processes} processes ended with status {done.returncode}: see above")
    found = lines[-1][given.precision]
    if "failed" in found:
        raise UserError(f"{processes} processes failed: {found['failed']}")
    return float(found["images_per_second"])


def run(given: argparse.Namespace) -> None:
    """Measure in turns and print each round."""
    rates: dict[int, list[float]] = {1: [], given.processes: []}
    for number in range(given.rounds):
        for processes, values in rates.items():
            values.append(rate(given, processes))
            print(f"round {number + 1}: {processes} processes {values[-1]:.1f} images/s", flush=True)
        ratio = statistics.median(rates[given.processes]) / statistics.median(rates[1])
        print(f"{given.processes} processes against 1: {ratio:.2f} times", flush=True)
    if given.out:
        given.out.write_text(json.dumps({str(processes): values for processes, values in rates.items()}))


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--project", type=Path, default=Path())
    parser.add_argument("--device", choices=("cpu", "cuda"), required=True)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--batch", type=int, default=64, help="of each process")
    parser.add_argument("--size", type=int, nargs=2, default=(640, 640), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--precision", choices=list(PRECISIONS), default="bf16")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--limit", type=float, default=300, help="seconds that one measurement may take")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument("--out", type=Path)
    sys.exit(guarded("gpu_scaling", lambda: run(parser.parse_args())))


if __name__ == "__main__":
    main()
