"""Ultralytics as an outside program, for measurement alone: its own command line in a process of its own.

    python -m benchmarks.ultralytics_process yolo11n.yaml --path DIR --out DIR --device cpu|cuda --seeds 1 2 3
        [--epochs 200] [--batch 32] [--size 640] [--amp] [--set KEY=VALUE ...] [--limit 540]

Nothing here imports it. It is AGPL-3.0: install it apart (`pip install --target DIR --no-deps ultralytics
ultralytics-thop ultralytics-platform polars polars-runtime-32 py-cpuinfo opencv-python-headless`) and name DIR.
Trains from scratch with its default recipe on data/converted, written as YOLO text; best weights on val. OUT gets
SEED-val.json and SEED-test.json, COCO results that `python -m benchmarks.recipes compare` reads.
"""

import argparse
import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from netwright.artifacts.dataset import read_manifest, read_records
from netwright.data.formats import yolo
from netwright.errors import UserError
from netwright.types import SPLITS
from stages import paths
from stages._entry.failures import guarded

YOLO = "from ultralytics.cfg import entrypoint; entrypoint()"  # what its `yolo` command is
NO_AMP = "AMP will be disabled"  # what its own check says where it then trains in FP32 all the same


@dataclass(frozen=True, kw_only=True)
class Program:
    """Where Ultralytics is installed, where it works, on what, and how long one call may take."""

    path: Path
    out: Path
    device: str
    limit_s: float

    def call(self, words: Sequence[str], log: str, *, tf32: bool = True) -> str:
        """Run its command line and return what it said. Raises UserError where it fails or takes too long."""
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, (str(self.path.resolve()), os.environ.get("PYTHONPATH")))),
            "YOLO_OFFLINE": "1",
            "YOLO_AUTOINSTALL": "false",
            "YOLO_CONFIG_DIR": str(self.out.resolve() / "config"),
        }
        if not tf32:
            environment["NVIDIA_TF32_OVERRIDE"] = "0"  # for every library of NVIDIA's in that process
        file = self.out / f"{log}.log"
        file.parent.mkdir(parents=True, exist_ok=True)
        device = "0" if self.device == "cuda" else "cpu"
        command = [sys.executable, "-c", YOLO, *words, f"device={device}"]
        with file.open("w") as stream:
            try:
                status = subprocess.run(
                    command, env=environment, stdout=stream, stderr=stream, timeout=self.limit_s, check=False
                ).returncode
            except subprocess.TimeoutExpired:
                raise UserError(f"Ultralytics took more than {self.limit_s:.0f} s: see {file}") from None
        said = file.read_text("utf-8", errors="replace")
        if status:
            raise UserError(f"Ultralytics ended with status {status}: {said.strip().splitlines()[-1:]}; see {file}")
        return said


def write_yolo(converted: Path, folder: Path) -> Path:
    """The converted dataset as YOLO text and pictures; return its data.yaml. One that is there is taken as it is."""
    if not (folder / "data.yaml").is_file():
        records = chain.from_iterable(read_records(converted, split) for split in SPLITS)
        yolo.save(records, read_manifest(converted).classes, folder)
    return folder.resolve() / "data.yaml"


def epoch_seconds(
    program: Program, data: Path, name: str, settings: dict[str, object], *, tf32: bool = True
) -> list[float]:
    """Train as ``settings`` say and return the seconds of each epoch, from its own results.csv.

    Raises UserError where AMP was asked for and its own check switched it off.
    """
    shutil.rmtree(program.out / name, ignore_errors=True)
    words = [f"{key}={value}" for key, value in {"data": data, "pretrained": False, **settings}.items()]
    place = [f"project={program.out.resolve()}", f"name={name}", "exist_ok=True", "plots=False"]
    said = program.call(["detect", "train", *words, *place], name, tf32=tf32)
    if settings.get("amp") and (NO_AMP in said or program.device == "cpu"):
        print("ultralytics: AMP was switched off by its own check: this is FP32", flush=True)
        if program.device == "cuda":
            raise UserError(f"Ultralytics did not train with AMP: see {program.out / name}.log")
    with (program.out / name / "results.csv").open() as stream:
        times = [float({key.strip(): value for key, value in row.items()}["time"]) for row in csv.DictReader(stream)]
    return [after - before for before, after in zip([0.0, *times], times, strict=False)]


def detections(program: Program, data: Path, name: str, size: int, batch: int) -> None:
    """COCO results of the best weights of the training ``name`` on val and test, as ``name``-val.json and so on."""
    weights = program.out.resolve() / name / "weights/best.pt"
    for split in ("val", "test"):
        place = [f"project={program.out.resolve()}", f"name={name}-{split}", "exist_ok=True", "plots=False"]
        words = [f"model={weights}", f"data={data}", f"split={split}", f"imgsz={size}", f"batch={batch}"]
        program.call(["detect", "val", *words, *place, "save_json=True"], f"{name}-{split}")
        shutil.copy(program.out / f"{name}-{split}/predictions.json", program.out / f"{name}-{split}.json")


def main() -> None:
    """Train each seed and keep its detections."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="such as yolo11n.yaml")
    parser.add_argument("--path", type=Path, required=True, help="where Ultralytics is installed")
    parser.add_argument("--project", type=Path, default=Path())
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", choices=("cpu", "cuda"), required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--size", type=int, default=640)
    parser.add_argument("--amp", action="store_true")
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="any setting of Ultralytics' own"
    )
    parser.add_argument("--limit", type=float, default=3600, help="seconds that one call may take")
    sys.exit(guarded("ultralytics_process", lambda: _run(parser.parse_args())))


def _run(given: argparse.Namespace) -> None:
    program = Program(path=given.path, out=given.out, device=given.device, limit_s=given.limit)
    data = write_yolo(given.project / paths.CONVERTED, given.out / "yolo")
    common = {"model": given.model, "epochs": given.epochs, "batch": given.batch, "imgsz": given.size}
    common |= {"amp": given.amp, "cache": "ram"} | dict(word.split("=", 1) for word in given.set)
    for seed in given.seeds:
        if all((given.out / f"{seed}-{split}.json").is_file() for split in ("val", "test")):
            print(f"seed {seed} is there already")
            continue
        seconds = epoch_seconds(program, data, str(seed), common | {"seed": seed})
        detections(program, data, str(seed), given.size, given.batch)
        print(f"seed {seed}: {len(seconds)} epochs in {sum(seconds):.0f} s, detections kept", flush=True)


if __name__ == "__main__":
    main()
