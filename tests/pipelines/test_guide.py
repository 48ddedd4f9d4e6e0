"""docs/guide.md is true: its commands, in its order, on a small folder and a small network."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image, ImageDraw

from tests.data.miniature import object_xml, write_xml

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs/guide.md").read_text("utf-8")
COPIED = ("conf", "netwright", "stages", "pipelines", ".dvc", "dvc.yaml", "params.yaml", ".dvcignore", ".gitignore")
SMALL = {
    "defaults": [
        {"override /dataset": "digits"},
        {"override /model": "mobilenetv4_small"},
        {"override /pretrain_init": "random"},
    ],
    "model": {"levels": [8, 16], "neck_channels": 16, "height": 64, "width": 64},
    "train": {"epochs": 1},
    "prune": {"recover": {"epochs": 0}},
    "qat": {"calibration_images": 4, "epochs": 0},
    "benchmark": {
        "runtimes": ["torch", "onnxruntime"],
        "warmup": 1,
        "rounds": 8,
        "parity_images": 2,
        "gallery_images": 1,
        # On six pictures, one that flips in INT8 or bf16 is points of mAP: fp32 files alone surely agree.
        "deployed": "pruned_fp32@onnxruntime",
        "baseline": "trained_fp32@onnxruntime",
    },
}


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(first)
    for key, value in second.items():
        both[key] = (
            merged(first[key], value) if isinstance(value, Mapping) and isinstance(first.get(key), Mapping) else value
        )
    return both


def write_cells(folder: Path) -> None:
    """28 pictures of one or two rectangles on noise, Pascal VOC with its own splits."""
    for part in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (folder / part).mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(28):
        picture = Image.fromarray(random.integers(0, 90, (48, 64, 3), dtype=np.uint8))
        left, top = (int(value) for value in random.integers(2, 20, 2))
        box = (left, top, left + 22, top + 20)
        label = "disc" if number % 2 else "ring"
        ImageDraw.Draw(picture).rectangle(box, fill=(220, 60, 40) if label == "disc" else (40, 90, 220))
        picture.save(folder / f"JPEGImages/{number:02d}.jpg")
        write_xml(folder, f"{number:02d}", object_xml(label, *box))
    for split, part in (("train", range(16)), ("val", range(16, 22)), ("test", range(22, 28))):
        (folder / f"ImageSets/Main/{split}.txt").write_text("".join(f"{number:02d}\n" for number in part))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder, skip = tmp_path / "project", shutil.ignore_patterns("__pycache__", "tmp", "cache", "config.local", "*.pyc")
    folder.mkdir()
    for name in COPIED:
        source = ROOT / name
        shutil.copytree(source, folder / name, ignore=skip) if source.is_dir() else shutil.copy(source, folder / name)
    # Whatever else this machine is doing, the timing counts as undisturbed: no figure of this test is kept.
    lock = folder / "netwright/deployment/timing_lock.py"
    lock.write_text(re.sub(r"(?m)^_BUSY_SHARE = .*$", "_BUSY_SHARE = 1e9", lock.read_text("utf-8")), "utf-8")
    (recipe,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    small = yaml.safe_dump(merged(yaml.safe_load(recipe), SMALL), sort_keys=False)
    (folder / "conf/experiment/mine.yaml").write_text(f"# @package _global_\n{small}", "utf-8")
    write_cells(tmp_path / "home/cells")
    return folder


def environment(home: Path) -> dict[str, str]:
    here = str(Path(sys.executable).parent)
    identity = {f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    ours = {"HOME": str(home), "PATH": os.pathsep.join([here, os.environ["PATH"]]), "COLUMNS": "120", "NO_COLOR": "1"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "MLFLOW_", "NETWRIGHT_"))}
    return kept | identity | ours


@pytest.mark.slow
def test_the_guides_commands_lead_to_a_verified_release(project: Path) -> None:
    surroundings = environment(project.parent / "home")
    commands = ["git init -q", "git add -A", "git commit -q -m start"]
    commands += [
        line for block in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL) for line in block.splitlines() if line
    ]
    assert len(commands) > 14
    said = ""
    for command in commands:
        done = subprocess.run(
            command, shell=True, cwd=project, env=surroundings, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        said += done.stdout
    assert "certify: verified: release/cells-1.0" in said
    assert "certified pruned_fp32@onnxruntime" in said
    assert "0.00 points" in said  # replayed
    page = (project / "release/cells-1.0/certificate.html").read_text("utf-8")
    assert "Not for diagnosis." in page
    assert (project.parent / "home/.config/netwright/signing.pem").stat().st_mode & 0o777 == 0o600
