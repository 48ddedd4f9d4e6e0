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
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.before_measuring import check_out
from benchmarks.changed_params import parsed_changes, refuse_owned
from benchmarks.recipe_run import WARM_EPOCHS
from benchmarks.speed_table import PEERS, Found, Peer, table
from benchmarks.step_process import OWNERS, check_steps, step_lines
from benchmarks.step_speed import PRECISIONS
from benchmarks.ultralytics_program import PEER_OWNERS, Program, epoch_seconds, parsed_settings, write_yolo
from benchmarks.whole_number import at_least
from netwright.artifacts.whole_file import write_json
from netwright.data.feeding.pictures import load_pictures
from netwright.errors import UserError
from netwright.types import InputSpec
from stages import paths
from stages._entry.failures import guarded

OWN = OWNERS | {"train.precision": "--precisions", "model.backbone": "--backbone"}
PEER_OWN = PEER_OWNERS | {"model": "--ultralytics", "amp": "--precisions"}


def changes_of(given: argparse.Namespace) -> dict[str, Any]:
    """What the arguments change of params.yaml. Raises UserError for one that two of them name."""
    changes = {"train.batch_size": given.batch, "train.epochs": given.epochs, "pretrain_init.weights": "random"}
    changes |= {"model.height": given.size[0], "model.width": given.size[1]}
    if given.backbone:
        changes["model.backbone"] = given.backbone
    own = parsed_changes(given.set)
    refuse_owned(own, OWN)
    return changes | own


def peer_settings(given: argparse.Namespace) -> dict[str, object]:
    """Ultralytics' settings in every arithmetic. Raises UserError for words that are none."""
    settings = {"model": given.ultralytics, "epochs": given.epochs, "batch": given.batch, "imgsz": max(given.size)}
    settings |= {"val": False, "save": False, "cache": "ram", "close_mosaic": 0}
    return settings | parsed_settings(given.ultralytics_set, PEER_OWN, option="--ultralytics-set")


def ours(given: argparse.Namespace, changes: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """One process through every arithmetic. Raises UserError where it dies, takes too long or none can be measured."""
    asked = {"project": str(given.project), "changes": changes, "device": given.device, "precisions": given.precisions}
    *said, last = step_lines(asked, who="ours", limit_s=given.limit)
    print("\n".join(f"  {line}" for line in said), flush=True)
    found: dict[str, dict[str, Any]] = json.loads(last)
    if all("failed" in line for line in found.values()):
        reasons = "; ".join(f"{name} {line['failed']}" for name, line in found.items())
        raise UserError(f"nothing could be measured: {reasons}")
    return found


def theirs(program: Program, data: Path, settings: dict[str, object], peer: Peer, pictures: int) -> float:
    """Images/s of Ultralytics' own trainer."""
    amp, tf32 = peer
    seconds = epoch_seconds(program, data, f"amp-{amp}-tf32-{tf32}", settings | {"amp": amp}, tf32=tf32)
    return pictures / statistics.median(seconds[min(WARM_EPOCHS, len(seconds) - 2) : -1])  # the last writes files


def run(given: argparse.Namespace) -> None:
    """Check and prepare on the CPU, measure in turns, print and keep what there is after each."""
    changes, settings = changes_of(given), peer_settings(given)
    program = checked(given, changes)
    pictures = pictures_of(given)
    data = write_yolo(given.project / paths.CONVERTED, program.out) if program else None
    found: Found = {name: [] for name in given.precisions}
    peers: dict[Peer, list[float]] = {}
    for number in range(given.rounds):
        begun = time.monotonic()
        for name, line in ours(given, changes).items():
            found[name].append(line)
        keep(given.out, changes, found, peers)
        if program and data:
            for peer in dict.fromkeys(PEERS[name] for name in given.precisions):
                peers.setdefault(peer, []).append(theirs(program, data, settings, peer, pictures))
            keep(given.out, changes, found, peers)
        print(f"round {number + 1} of {given.rounds}: {time.monotonic() - begun:.0f} s", flush=True)
        print("\n".join(table(found, peers)), flush=True)


def pictures_of(given: argparse.Namespace) -> int:
    """How many pictures an epoch shows, decoded for all that follows."""
    spec = InputSpec(height=given.size[0], width=given.size[1])
    pictures = load_pictures(given.project / paths.CONVERTED, "train", spec, scratch=given.project / ".netwright")
    print(
        f"{len(pictures)} pictures in batches of {given.batch}, {given.epochs} epochs, {given.rounds} rounds",
        flush=True,
    )
    return len(pictures)


def keep(out: Path | None, changes: dict[str, Any], found: Found, peers: dict[Peer, list[float]]) -> None:
    """Write what there is so far."""
    if out:
        lists = {f"amp={amp} tf32={tf32}": values for (amp, tf32), values in peers.items()}
        write_json(out, {"changes": changes, "ours": found, "ultralytics": lists})


def checked(given: argparse.Namespace, changes: dict[str, Any]) -> Program | None:
    """Ultralytics where it is asked for. Raises UserError for what cannot work, before any process starts."""
    check_out(given.out)
    check_steps(given.project, changes, given.device)
    if not given.ultralytics:
        return None
    if not given.ultralytics_path:
        raise UserError("--ultralytics needs --ultralytics-path, the folder that pip --target installed it into")
    if given.size[0] != given.size[1]:
        raise UserError("--ultralytics trains squares: give --size the same number twice")
    place = given.project / ".netwright/ultralytics"
    program = Program(path=given.ultralytics_path, out=place, device=given.device, limit_s=given.limit)
    program.check()
    return program


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--project", type=Path, default=Path())
    parser.add_argument("--device", choices=("cpu", "cuda"), required=True)
    parser.add_argument("--precisions", nargs="+", choices=list(PRECISIONS), default=list(PRECISIONS))
    parser.add_argument("--batch", type=at_least(1), default=32)
    parser.add_argument("--size", type=at_least(1), nargs=2, default=(640, 640), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--backbone", help="default: params.yaml's")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument("--epochs", type=at_least(1), default=15)
    parser.add_argument("--rounds", type=at_least(1), default=2)
    parser.add_argument("--limit", type=float, default=300, help="seconds that one process may take")
    parser.add_argument("--ultralytics", metavar="MODEL", help="such as yolo11n.yaml")
    parser.add_argument("--ultralytics-path", type=Path, metavar="DIR")
    parser.add_argument("--ultralytics-set", nargs="+", action="extend", default=[], metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    sys.exit(guarded("train_speed", lambda: run(given)))


if __name__ == "__main__":
    main()
