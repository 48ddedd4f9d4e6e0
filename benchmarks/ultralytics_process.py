"""Ultralytics as an outside program, for measurement alone: its own command line in a process of its own.

    python -m benchmarks.ultralytics_process yolo11n.yaml --path DIR --out DIR --device cpu|cuda --seeds 1 2 3
        [--epochs 200] [--batch 32] [--size 640] [--amp] [--set KEY=VALUE ...] [--limit 540]

Nothing here imports it. It is AGPL-3.0: install it apart (`pip install --target DIR --no-deps ultralytics
ultralytics-thop ultralytics-platform polars polars-runtime-32 py-cpuinfo opencv-python-headless`) and name DIR.
Trains from scratch with its default recipe on data/converted, written as YOLO text; best weights on val. OUT gets
SEED-val.json and SEED-test.json, COCO results that `python -m benchmarks.recipes compare` reads, and last SEED.json,
which names their settings and data. Given again it does only the seeds without one; one of others is refused.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from benchmarks.ultralytics_program import (
    PEER_OWNERS,
    Program,
    content_of,
    epoch_seconds,
    parsed_settings,
    write_yolo,
)
from benchmarks.whole_number import at_least
from netwright.artifacts.whole_file import write_json
from netwright.errors import UserError
from stages import paths
from stages._entry.failures import guarded

OWN = PEER_OWNERS | {"model": "the model's name", "amp": "--amp", "seed": "--seeds"}
SPLITS = ("val", "test")
Record = dict[str, Any]


def detections(program: Program, data: Path, name: str, size: int, batch: int) -> None:
    """COCO results of the best weights of the training ``name`` on val and test, as ``name``-val.json and so on."""
    weights = program.out.resolve() / name / "weights/best.pt"
    for split in SPLITS:
        place = [f"project={program.out.resolve()}", f"name={name}-{split}", "exist_ok=True", "plots=False"]
        words = [f"model={weights}", f"data={data}", f"split={split}", f"imgsz={size}", f"batch={batch}"]
        program.call(["detect", "val", *words, *place, "save_json=True"], f"{name}-{split}")
        shutil.copy(program.out / f"{name}-{split}/predictions.json", program.out / f"{name}-{split}.json")


def settings_of(given: argparse.Namespace) -> dict[str, object]:
    """What every seed trains with. Raises UserError for words that are no settings."""
    settings = {"model": given.model, "epochs": given.epochs, "batch": given.batch, "imgsz": given.size}
    return settings | {"amp": given.amp, "cache": "ram"} | parsed_settings(given.set, OWN, option="--set")


def still_to_do(out: Path, records: dict[int, Record]) -> list[int]:
    """The seeds without results. Raises UserError where there are some of other settings or data."""
    waiting = []
    for seed, record in records.items():
        path = out / f"{seed}.json"
        if not path.is_file():
            waiting.append(seed)
        elif (there := _read(path)) != record:
            differing = sorted(name for name in there.keys() | record.keys() if there.get(name) != record.get(name))
            raise UserError(f"{path} is of other values ({', '.join(differing)}): choose another --out")
        elif not all((out / f"{seed}-{split}.json").is_file() for split in SPLITS):
            waiting.append(seed)
        else:
            print(f"seed {seed} is there already")
    return waiting


def _read(path: Path) -> Record:
    try:
        record = json.loads(path.read_text("utf-8"))
    except ValueError:
        record = None
    if not isinstance(record, dict):
        raise UserError(f"{path} is damaged: remove it, and its seed is trained anew")
    return record


def main() -> None:
    """Train each seed and keep its detections."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="such as yolo11n.yaml")
    parser.add_argument("--path", type=Path, required=True, help="where Ultralytics is installed")
    parser.add_argument("--project", type=Path, default=Path())
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", choices=("cpu", "cuda"), required=True)
    parser.add_argument("--seeds", type=at_least(0), nargs="+", default=[1])
    parser.add_argument("--epochs", type=at_least(1), default=200)
    parser.add_argument("--batch", type=at_least(1), default=32)
    parser.add_argument("--size", type=at_least(1), default=640)
    parser.add_argument("--amp", action="store_true")
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="any setting of Ultralytics' own"
    )
    parser.add_argument("--limit", type=float, default=3600, help="seconds that one call may take")
    given = parser.parse_args()
    sys.exit(guarded("ultralytics_process", lambda: _run(given)))


def _run(given: argparse.Namespace) -> None:
    program = Program(path=given.path, out=given.out, device=given.device, limit_s=given.limit)
    program.check()
    common, converted = settings_of(given), given.project / paths.CONVERTED
    content = content_of(converted)
    records: dict[int, Record] = {seed: {**common, "seed": seed, "dataset": content} for seed in given.seeds}
    waiting = still_to_do(given.out, records)
    if not waiting:
        return
    data = write_yolo(converted, given.out)
    for seed in waiting:
        seconds = epoch_seconds(program, data, str(seed), common | {"seed": seed})
        detections(program, data, str(seed), given.size, given.batch)
        write_json(given.out / f"{seed}.json", records[seed])
        print(f"seed {seed}: {len(seconds)} epochs in {sum(seconds):.0f} s, detections kept", flush=True)


if __name__ == "__main__":
    main()
