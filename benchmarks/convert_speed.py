"""How fast and in how much memory KITTI becomes COCO, beside Datumaro, and what one changed picture costs.

    python -m benchmarks.convert_speed [--pictures 20000] [--small 2000] [--rounds 3] [--extension jpg|png]
        [--sides 620 188] [--only datumaro|again] [--unchecked] [--folder DIR]

Five ways, in turns, each its own process: ``checked`` is convert, which examines every pixel and box, then COCO from
its result; ``direct`` rewrites the raw dataset and looks at headers alone, as Datumaro does; with ``--link`` its
pictures are hard links, where Datumaro copies; ``cp`` copies the pictures and does nothing else. Memory is looked at
in runs of their own. Datumaro lives in a virtual environment of its own, made for this. Then ``dvc repro convert``,
whole and after a change.
"""

import argparse
import compileall
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from benchmarks.kitti_pictures import CLASSES, HALF, write_kitti, write_picture
from benchmarks.measured_run import Timed, peak_mib, time_run

Found = TypeVar("Found")
ROOT = Path(__file__).resolve().parents[1]
DATUMARO = "datumaro==1.13.12"
CONVERT = [
    sys.executable, "-m", "stages.convert",
    "dataset.name=kitti", "dataset.source=raw", "dataset.format=kitti",
]  # fmt: skip
CHECKED = f"{' '.join(CONVERT)} && {sys.executable} -m pipelines.dataset --to coco --output coco"
DIRECT = [sys.executable, "-m", "pipelines.dataset", "--to", "coco", "--source", "raw", "--output", "coco"]
THEIRS = """
import sys
import datumaro
dataset = datumaro.Dataset.import_from("raw", "kitti_detection")
dataset.export("coco", "coco_instances", save_media=True)
"""


def main() -> None:
    """Measure and print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=20000)
    parser.add_argument("--small", type=int, default=2000, help="a second size, for the memory")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--extension", choices=("jpg", "png"), default="jpg")
    parser.add_argument("--sides", type=int, nargs=2, default=HALF, metavar=("WIDTH", "HEIGHT"), help="of pictures")
    parser.add_argument("--python", help="a Python that has Datumaro; otherwise one is made")
    parser.add_argument("--folder", type=Path, help="keeps the generated pictures, and takes those that are there")
    parser.add_argument("--only", choices=("datumaro", "again"), help="one half of it")
    parser.add_argument("--unchecked", action="store_true", help="beside Datumaro without the slow way, checked")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="convert-speed-") as name:
        folder = (given.folder or Path(name)).resolve()
        for count in (given.small, given.pictures):
            _generate(_raw(folder, count, given), count, given)
        if given.only != "again":
            python = given.python or _environment(folder)
            print(_beside_datumaro(folder, python, given))
        if given.only != "datumaro":
            print(_again(folder, given))


def _raw(folder: Path, count: int, given: argparse.Namespace) -> Path:
    return folder / f"{count}-{given.sides[0]}x{given.sides[1]}-{given.extension}"


def _generate(raw: Path, count: int, given: argparse.Namespace) -> None:
    """The dataset, with the list of classes that Datumaro looks for; one that is there already is taken."""
    if not raw.exists():
        write_kitti(raw, count, given.extension, tuple(given.sides))
        labels = {str(index): label for index, label in enumerate(CLASSES)}
        (raw / "dataset_meta.json").write_text(json.dumps({"label_map": labels}))


def _environment(folder: Path) -> str:
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = str(folder / "venv/bin/python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", DATUMARO], check=True)
    return python


def _beside_datumaro(folder: Path, python: str, given: argparse.Namespace) -> str:
    commands = {
        **({} if given.unchecked else {"checked": ["sh", "-c", CHECKED]}),
        "direct": DIRECT,
        "direct --link": [*DIRECT, "--link"],
        "cp": ["sh", "-c", "mkdir coco && cp -r raw/train/image_2 raw/val/image_2 raw/test/image_2 --parents coco"],
        "Datumaro": [python, "-c", THEIRS],
    }
    peaks = {
        way: [_fresh_run(_raw(folder, count, given), command, peak_mib) for count in (given.small, given.pictures)]
        for way, command in commands.items()
    }
    seconds: dict[str, list[float]] = defaultdict(list)
    for _ in range(given.rounds):
        for way, command in commands.items():
            seconds[way].append(_fresh_run(_raw(folder, given.pictures, given), command, _synced_run).seconds)
    return _compared(seconds, peaks, given)


def _fresh_run(raw: Path, command: list[str], run: Callable[[list[str], Path, Path], Found]) -> Found:
    """What ``run`` finds of ``command`` in a new project, so that nothing is known from before."""
    project = _project(raw.parent, raw)
    try:
        return run(command, project, raw.parent / "log")
    finally:
        shutil.rmtree(project)


def _synced_run(command: list[str], project: Path, log: Path) -> Timed:
    os.sync()  # no run pays for what the one before has left to be written
    run = time_run(command, project, log)
    print(f"{' '.join(command)[-60:]}: {run.seconds:.1f} s", file=sys.stderr)
    return run


def _compared(seconds: dict[str, list[float]], peaks: dict[str, list[float]], given: argparse.Namespace) -> str:
    medians = {way: statistics.median(values) for way, values in seconds.items()}
    rows = [
        [way, f"{median:.2f}", f"{medians['Datumaro'] / median:.2f}", *(f"{peak:.0f}" for peak in peaks[way])]
        for way, median in medians.items()
    ]
    small, large = f"MiB at {given.small}", f"MiB at {given.pictures}"
    heads = [f"{given.pictures} {given.extension}", "seconds (median)", "times Datumaro", small, large]
    return _table(heads, rows)


def _again(folder: Path, given: argparse.Namespace) -> str:
    """``dvc repro convert`` of everything in a new project, then after one picture has changed; in every round."""
    raw = _raw(folder, given.pictures, given)
    changed = {"count": given.pictures, "extension": given.extension, "sides": tuple(given.sides)}
    repro = [sys.executable, "-m", "dvc", "repro", "convert"]
    first, later = [], []
    for version in range(given.rounds):
        project = _project(folder, raw, versioned=True)
        first.append(_shares(_synced_run(repro, project, folder / "log")))
        write_picture(raw, 11, version=version + 1, **changed)
        later.append(_shares(_synced_run(repro, project, folder / "log")))
        shutil.rmtree(project)
    ratios = [[b / a for a, b in zip(*pair, strict=True)] for pair in zip(first, later, strict=True)]
    rows = [
        [name, *(f"{statistics.median(values):.{digits}f}" for values in zip(*runs, strict=True))]
        for name, runs, digits in (("first", first, 1), ("one changed", later, 1), ("second over first", ratios, 2))
    ]
    heads = [f"{given.pictures} {given.extension}", "dvc repro, s", "convert's own, s", "DVC and start, s"]
    return _table(heads, rows)


def _shares(run: Timed) -> list[float]:
    """Seconds of all, of convert itself, and of the rest."""
    own = float(re.findall(r"convert: done in ([0-9.]+) s", run.output)[-1])
    return [run.seconds, own, run.seconds - own]


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in (heads, ["---"] * len(heads), *rows)]
    return "\n".join(lines) + "\n"


def _project(folder: Path, raw: Path, *, versioned: bool = False) -> Path:
    """A copy of this project's tracked files, with ``raw`` as its dataset."""
    project = Path(tempfile.mkdtemp(prefix="project-", dir=folder))
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and name != "dvc.lock":
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, project / name)
    (project / "raw").symlink_to(raw)
    if versioned:
        (project / ".venv").symlink_to(Path(sys.executable).parents[1])
        subprocess.run(["git", "init", "--quiet"], cwd=project, check=True)
        time_run([sys.executable, "-m", "pipelines.compose", *CONVERT[3:]], project, folder / "log")
    compileall.compile_dir(project, quiet=2)  # as at a second use: an installed package is compiled too
    return project


if __name__ == "__main__":
    main()
