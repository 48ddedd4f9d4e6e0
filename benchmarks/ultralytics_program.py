"""Ultralytics' own command line in a process of its own: never imported, installed apart, measured alone."""

import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

from benchmarks.before_measuring import check_device
from benchmarks.changed_params import refuse_owned
from netwright.artifacts.dataset import read_manifest, read_records
from netwright.data.formats import yolo
from netwright.errors import UserError
from netwright.types import SPLITS

YOLO = "from ultralytics.cfg import entrypoint; entrypoint()"  # what its `yolo` command is
# what --set may not change: other options of the commands that call it do
PEER_OWNERS = {"epochs": "--epochs", "batch": "--batch", "imgsz": "--size", "device": "--device"}
PEER_OWNERS |= dict.fromkeys(("data", "project", "name"), "--project")
NO_AMP = "AMP will be disabled"  # what its own check says where it then trains in FP32 all the same


@dataclass(frozen=True, kw_only=True)
class Program:
    """Where Ultralytics is installed, where it works, on what, and how long one call may take."""

    path: Path
    out: Path
    device: str
    limit_s: float

    def check(self) -> None:
        """Raise UserError where it is not installed, or its device is not here."""
        if not (self.path / "ultralytics").is_dir():
            raise UserError(f"no Ultralytics in {self.path}: name the folder that pip --target installed it into")
        check_device(self.device)

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


def content_of(converted: Path) -> str:
    """A hash of what the converted dataset says of itself, its content's fingerprint included."""
    return hashlib.sha256(json.dumps(asdict(read_manifest(converted))).encode()).hexdigest()[:12]


def write_yolo(converted: Path, place: Path) -> Path:
    """The converted dataset as YOLO text and pictures in a folder of ``place`` that its content names.

    Returns its data.yaml. One of the same content is taken as it is.
    """
    folder = place / f"yolo-{content_of(converted)}"
    if not (folder / "data.yaml").is_file():
        records = chain.from_iterable(read_records(converted, split) for split in SPLITS)
        yolo.save(records, read_manifest(converted).classes, folder)
    return folder.resolve() / "data.yaml"


def parsed_settings(words: Sequence[str], owners: Mapping[str, str], *, option: str) -> dict[str, str]:
    """``key=value`` words of ``option``. Raises UserError for another form, and for a key that ``owners`` set."""
    pairs = [word.partition("=") for word in words]
    for word, (key, sign, _) in zip(words, pairs, strict=True):
        if not sign or not key:
            raise UserError(f"cannot read {option} {word!r}: write key=value")
    settings = {key: value for key, _, value in pairs}
    refuse_owned(settings, owners, option=option)
    return settings


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
