"""A project with the real dvc.yaml, conf/, door and pipelines, whose stages write a few bytes: the mechanism alone."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
DAG = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
COPIED = ("conf", "netwright", "stages", "pipelines", ".dvc", "dvc.yaml", "params.yaml", ".dvcignore", ".gitignore")
STUB = '''
"""Stub: its outs hold a hash of its values and of what it read."""
import hashlib, json, os, time
from dataclasses import asdict
from pathlib import Path
from netwright.errors import UserError
from stages._entry import Host, stage
from stages.settings import Settings

def content(path, digest, settings):
    if path.name == "history.csv":
        return "epoch,loss,map50_95,seconds\\n1,2.5,0.1,4\\n2,1.5,0.4,5\\n"
    if path.name == "metrics.json" and path.parent.name == "reports":
        score = int(digest[:6], 16) / 2**24
        return json.dumps({{"deployed/val/map50_95": score, "deployed/latency_ms/p50": 1 + score}})
    return json.dumps({{"digest": digest}})

@stage("{name}")
def main(settings: Settings, host: Host) -> None:
    if (wanted := Path("slow/{name}")).exists():
        time.sleep(float(wanted.read_text()))
    values = [asdict(getattr(settings, name)) for name in {sections!r}]
    if (refused := Path("fail/{name}")).exists() and refused.read_text().strip() in json.dumps(values):
        raise UserError("no channel of layer stem would be left")
    seen = [Path(dep).read_text() for dep in {deps!r}]
    digest = hashlib.sha256(json.dumps([seen, values]).encode()).hexdigest()
    for out in {outs!r}:
        path = Path(out) if Path(out).suffix else Path(out) / "manifest.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content(path, digest, settings))

if __name__ == "__main__":
    main()
'''


def stub(name: str) -> str:
    """The source of the stub for stage ``name`` of dvc.yaml."""
    block = DAG[name]
    named = [
        *(key for out in block["outs"] for key in ([out] if isinstance(out, str) else out)),
        *block.get("metrics", []),
        *(key for plot in block.get("plots", []) for key in plot),
    ]
    deps = [dep for dep in block["deps"] if dep.startswith(("data/converted/", "models/", "exports/"))]
    deps += [f"{dep}/manifest.json" for dep in block["deps"] if dep in ("data/converted", "exports")]
    sections = [entry for entry in block["params"] if isinstance(entry, str)]
    return STUB.format(name=name, outs=named, deps=deps, sections=sections)


def make_stub_project(folder: Path) -> Path:
    """Write the project into ``folder``, commit it, and return the folder."""
    skip = shutil.ignore_patterns("__pycache__", "tmp", "cache", "config.local", "*.pyc")
    folder.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=skip)
        else:
            shutil.copy(ROOT / name, folder / name)
    for name in DAG:
        (folder / "stages" / f"{name.replace('-', '_')}.py").write_text(stub(name), "utf-8")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "start")
    return folder


def git(project: Path, *arguments: str) -> str:
    """What git says."""
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=project, check=True, capture_output=True, text=True).stdout.strip()


def environment(**more: str) -> dict[str, str]:
    """As in a shell whose python is this one, with no store but the project's own."""
    here = str(Path(sys.executable).parent)
    plain = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    return {**plain, "PATH": os.pathsep.join([here, os.environ["PATH"]]), "NO_COLOR": "1", **more}


def started(project: Path) -> list[str]:
    """The stages that really started since the last call, in order."""
    ledger = project / ".netwright/ledger.jsonl"
    rows = [json.loads(line)["stage"] for line in ledger.read_text("utf-8").splitlines()] if ledger.exists() else []
    ledger.unlink(missing_ok=True)
    return rows
