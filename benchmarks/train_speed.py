"""Training images/s, warm and without scoring, in several arithmetics; beside Ultralytics' trainer where it is given.

    python -m benchmarks.train_speed --device cuda [--precisions fp32 tf32 bf16 fp16] [--batch 32] [--size 640 640]
        [--backbone resnet18] [--set 'train.compiled=[augment,loss]' ...] [--epochs 15] [--rounds 2]
        [--ultralytics yolo11n.yaml --ultralytics-path DIR] [--out FILE]

fp32 has TF32 off, tf32 is FP32 as torch comes (TF32 in convolutions). Each round is a process of ours that trains on
random weights in one arithmetic after the other, then a process of Ultralytics for each of its own: FP32 with TF32 off,
FP32, and AMP (fp16), which ours in bf16 and in fp16 are set beside. Of each training the median over its epochs after
the first 5 counts, of the rounds their mean. "data wait" is the share of an epoch between a step's end and the next
one's begin, as the GPU's stream sees it. Both train the same pictures in batches of the same number and size, each with
its own recipe's augmentation; Ultralytics (default settings, cache=ram, val=False) is AGPL-3.0 and never imported here.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.changed_params import changed_settings, parsed_changes, read_params
from benchmarks.recipe_run import WARM_EPOCHS
from benchmarks.step_speed import PRECISIONS
from benchmarks.ultralytics_process import Program, epoch_seconds, write_yolo
from netwright.data.feeding.pictures import load_pictures
from netwright.errors import UserError
from netwright.types import InputSpec
from stages import paths
from stages._entry.failures import guarded

PEERS = {"fp32": (False, False), "tf32": (False, True), "bf16": (True, True), "fp16": (True, True)}  # (AMP, TF32)
Found = dict[str, list[dict[str, Any]]]
Peer = tuple[bool, bool]


def changes_of(given: argparse.Namespace) -> dict[str, Any]:
    """What the arguments change of params.yaml."""
    changes = {"train.batch_size": given.batch, "train.epochs": given.epochs, "pretrain_init.weights": "random"}
    changes |= {"model.height": given.size[0], "model.width": given.size[1]}
    if given.backbone:
        changes["model.backbone"] = given.backbone
    return changes | parsed_changes(given.set)


def ours(given: argparse.Namespace, changes: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """One process through every arithmetic. Raises UserError where it dies or takes too long."""
    asked = {"project": str(given.project), "changes": changes, "device": given.device, "precisions": given.precisions}
    command = [sys.executable, "-m", "benchmarks.step_speed", json.dumps(asked)]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=given.limit, check=False)
    except subprocess.TimeoutExpired:
        raise UserError(f"ours took more than {given.limit:.0f} s: fewer --epochs, or a larger --limit") from None
    if done.returncode:
        raise UserError(f"ours ended with status {done.returncode}: see above")
    *said, last = done.stdout.splitlines()
    print("\n".join(f"  {line}" for line in said), flush=True)
    found: dict[str, dict[str, Any]] = json.loads(last)
    return found


def theirs(given: argparse.Namespace, program: Program, data: Path, peer: Peer, pictures: int) -> float:
    """Images/s of Ultralytics' own trainer."""
    amp, tf32 = peer
    settings = {"model": given.ultralytics, "epochs": given.epochs, "batch": given.batch, "imgsz": max(given.size)}
    settings |= {"amp": amp, "val": False, "save": False, "cache": "ram", "close_mosaic": 0}
    settings |= dict(word.split("=", 1) for word in given.ultralytics_set)
    seconds = epoch_seconds(program, data, f"amp-{amp}-tf32-{tf32}", settings, tf32=tf32)
    return pictures / statistics.median(seconds[min(WARM_EPOCHS, len(seconds) - 2) : -1])  # the last writes files


def run(given: argparse.Namespace) -> None:
    """Check and prepare on the CPU, measure in turns, print."""
    changes = changes_of(given)
    _check(given, changes)
    converted = given.project / paths.CONVERTED
    spec = InputSpec(height=given.size[0], width=given.size[1])
    pictures = len(load_pictures(converted, "train", spec, scratch=given.project / ".netwright"))
    print(f"{pictures} pictures in batches of {given.batch}, {given.epochs} epochs, {given.rounds} rounds", flush=True)
    place = given.project / ".netwright/ultralytics"
    data = write_yolo(converted, place / "yolo") if given.ultralytics else None
    found: Found = {name: [] for name in given.precisions}
    peers: dict[Peer, list[float]] = {}
    for number in range(given.rounds):
        begun = time.monotonic()
        for name, line in ours(given, changes).items():
            found[name].append(line)
        if data:
            program = Program(path=given.ultralytics_path, out=place, device=given.device, limit_s=given.limit)
            for peer in dict.fromkeys(PEERS[name] for name in given.precisions):
                peers.setdefault(peer, []).append(theirs(given, program, data, peer, pictures))
        print(f"round {number + 1} of {given.rounds}: {time.monotonic() - begun:.0f} s", flush=True)
        print("\n".join(table(found, peers)), flush=True)
    if given.out:
        lists = {f"amp={amp} tf32={tf32}": values for (amp, tf32), values in peers.items()}
        given.out.write_text(json.dumps({"changes": changes, "ours": found, "ultralytics": lists}, indent=2))


def _check(given: argparse.Namespace, changes: dict[str, Any]) -> None:
    """Raise UserError for what cannot work, before any process starts."""
    changed_settings(read_params(given.project), changes)
    least = WARM_EPOCHS + 3 if given.device == "cuda" else 2
    if given.epochs < least:
        raise UserError(f"--epochs {given.epochs} leaves no warm epochs: give {least} or more")
    if given.ultralytics and not (given.ultralytics_path and (given.ultralytics_path / "ultralytics").is_dir()):
        raise UserError("--ultralytics needs --ultralytics-path, the folder that pip --target installed it into")
    if given.ultralytics and given.size[0] != given.size[1]:
        raise UserError("--ultralytics trains squares: give --size the same number twice")


def table(found: Found, peers: dict[Peer, list[float]]) -> list[str]:
    """A line for each arithmetic, and how much faster the mixed ones are."""
    rates: dict[str, float] = {}
    lines = []
    for name, runs in found.items():
        good = [run for run in runs if "failed" not in run]
        if good:
            ours_ = [run["images_per_second"] for run in good]
            rates[name] = statistics.fmean(ours_)
            wait = statistics.fmean(run["data_wait_share"] for run in good)
            line = f"  {name} {_rate(ours_)}, data wait {wait:.1%}"
            if peer := peers.get(PEERS[name]):
                line += f"; Ultralytics {_rate(peer)}: ours {rates[name] / statistics.fmean(peer):.2f} times"
            lines.append(line)
        lines += [f"  {name} failed: {run['failed']}" for run in runs if "failed" in run]
    pairs = [(mixed, plain) for mixed in ("bf16", "fp16") for plain in ("fp32", "tf32")]
    known = [pair for pair in pairs if rates.keys() >= set(pair)]
    return lines + [f"  {mixed} against {plain}: {rates[mixed] / rates[plain]:.2f} times" for mixed, plain in known]


def _rate(values: Sequence[float]) -> str:
    return f"{statistics.fmean(values):.1f} images/s ({', '.join(f'{value:.1f}' for value in values)})"


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--project", type=Path, default=Path())
    parser.add_argument("--device", choices=("cpu", "cuda"), required=True)
    parser.add_argument("--precisions", nargs="+", choices=list(PRECISIONS), default=list(PRECISIONS))
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--size", type=int, nargs=2, default=(640, 640), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--backbone", help="default: params.yaml's")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--limit", type=float, default=300, help="seconds that one process may take")
    parser.add_argument("--ultralytics", metavar="MODEL", help="such as yolo11n.yaml")
    parser.add_argument("--ultralytics-path", type=Path, metavar="DIR")
    parser.add_argument("--ultralytics-set", nargs="+", action="extend", default=[], metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path)
    sys.exit(guarded("train_speed", lambda: run(parser.parse_args())))


if __name__ == "__main__":
    main()
