"""The whole DAG under DVC, with the real dvc.yaml, conf/ and door, and stages that only copy bytes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DAG = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
STUB = """
import hashlib, json, time
from dataclasses import asdict
from pathlib import Path
from stages._entry import Host, stage
from stages.settings import Settings

@stage("{name}")
def main(settings: Settings, host: Host) -> None:
    if (Path("sleep") / "{name}").exists():
        (Path("sleep") / "asleep").touch()
        time.sleep(60)
    seen = [Path(dep).read_text() for dep in {deps!r}]
    made = hashlib.sha256(json.dumps([seen, [asdict(getattr(settings, name)) for name in {sections!r}]]).encode())
    for out in {outs!r}:
        path = Path(out)
        if not path.suffix:
            path.mkdir(parents=True, exist_ok=True)
            path = path / "manifest.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({{"digest": made.hexdigest()}}))

if __name__ == "__main__":
    main()
"""
pytestmark = pytest.mark.slow


def stub(name: str) -> str:
    block = DAG[name]
    named = [
        *(key for out in block["outs"] for key in ([out] if isinstance(out, str) else out)),
        *block.get("metrics", []),
        *(key for plot in block.get("plots", []) for key in plot),
    ]
    deps = [dep for dep in block["deps"] if dep.startswith(("data/converted/", "models/", "exports/"))]
    deps += [f"{dep}/manifest.json" for dep in block["deps"] if dep in ("data/converted", "exports")]
    return STUB.format(
        name=name, outs=named, deps=deps, sections=[entry for entry in block["params"] if isinstance(entry, str)]
    )


def git(project: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=project, check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in (
        "conf",
        "netwright",
        "stages",
        "pipelines",
        ".dvc",
        "dvc.yaml",
        "params.yaml",
        ".dvcignore",
        ".gitignore",
    ):
        source, skip = ROOT / name, shutil.ignore_patterns("__pycache__", "tmp", "cache", "config.local", "*.pyc")
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=skip)
        else:
            shutil.copy(source, tmp_path / name)
    for name in DAG:
        (tmp_path / "stages" / f"{name.replace('-', '_')}.py").write_text(stub(name), "utf-8")
    (tmp_path / "pipelines/tracking/runs.py").write_text(
        "def record(project):\n    raise OSError('store is down')\n", "utf-8"
    )
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "start")
    return tmp_path


def run(project: Path, *command: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*command], cwd=project, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done


def environment() -> dict[str, str]:
    here = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": os.pathsep.join([here, os.environ["PATH"]]), "NO_COLOR": "1"}


def repro(project: Path, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    return run(project, sys.executable, "-m", "pipelines.repro", *arguments, status=status)


def started(project: Path) -> list[str]:
    """The stages that really started since the last call."""
    ledger = project / ".netwright/ledger.jsonl"
    rows = [json.loads(line)["stage"] for line in ledger.read_text("utf-8").splitlines()] if ledger.exists() else []
    ledger.unlink(missing_ok=True)
    return rows


def test_only_what_changed_runs_again(project: Path) -> None:
    first = repro(project)
    assert started(project) == list(DAG)
    assert first.stderr.splitlines()[-1].startswith("record: not recorded (store is down)")

    repro(project)
    assert started(project) == []

    repro(project, "prune.threshold=0.25")
    assert started(project) == ["prune", "qat", "export", "benchmark"]

    repro(project)  # back to what is cached: restored, not run
    assert started(project) == []

    git(project, "add", "-A")
    git(project, "commit", "-qm", "lock")
    run(project, sys.executable, "-m", "dvc", "exp", "run", "-S", "qat.epochs=7")
    assert started(project) == ["qat", "export", "benchmark"]


def test_a_typo_far_below_stops_convert_and_the_stages_line_is_last_but_dvcs(project: Path) -> None:
    text = (project / "params.yaml").read_text("utf-8").replace("calibration_images", "calibration_image")
    (project / "params.yaml").write_text(text, "utf-8")
    said = run(project, sys.executable, "-m", "dvc", "repro", status=255).stderr.splitlines()
    assert "unknown key qat.calibration_image (did you mean calibration_images?)" in said[-2]
    assert said[-1].startswith("ERROR: failed to reproduce 'convert'")
    assert started(project) == []


def test_interrupt_leaves_no_out_and_the_next_run_does_the_stage_again(project: Path) -> None:
    (project / "sleep").mkdir()
    (project / "sleep/train").touch()
    command = [sys.executable, "-m", "pipelines.repro"]
    process = subprocess.Popen(
        command, cwd=project, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not (project / "sleep/asleep").exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "train: interrupted" in errors
    assert "Traceback" not in errors
    assert not (project / "models/trained").exists()
    (project / "sleep/train").unlink()
    started(project)
    repro(project)
    assert started(project) == ["train", "prune", "qat", "export", "benchmark"]


def test_outside_a_git_repository_is_one_line(project: Path) -> None:
    shutil.rmtree(project / ".git")
    said = repro(project, status=1).stderr.splitlines()
    assert len(said) == 1
    assert "is no git repository" in said[0]


def test_bad_override_is_one_line_before_any_work(project: Path) -> None:
    before = (project / "params.yaml").read_bytes()
    said = repro(project, "prune.threshold=high", status=1).stderr.splitlines()
    assert said == ["repro: prune.threshold must be a number, found 'high' (str)"]
    assert (project / "params.yaml").read_bytes() == before
