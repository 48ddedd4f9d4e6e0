"""What a sweep runs, what it costs, and whether trials side by side give what trials one by one give.

    python -m benchmarks.sweep_overhead [--trials 5] [--stub] [--folder DIR]

In a fresh clone, with the recipe `smoke`: a threshold sweep with an empty cache, two trials at a time; the same
points under a second name, all restored; then the first two points one by one in another fresh clone. Stage starts
are counted in the ledger, weights are compared by the hashes in dvc.lock, accuracies as they are in the reports. A
restored trial runs no stage, so all its time is overhead. With --stub the stages write a few bytes, and what is
measured is the mechanism.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from tests.pipelines.stub_project import make_stub_project

ROOT = Path(__file__).resolve().parent.parent
STAGES = ("convert", "pretrain-init", "train", "prune", "qat", "export", "benchmark")
WEIGHTS = {"train": "trained", "prune": "pruned", "qat": "quantized"}
THRESHOLDS = ("0.9", "0.88", "0.92", "0.86", "0.94")
TOGETHER = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")


def clone(folder: Path) -> Path:
    """What is committed here, in ``folder``, with an empty cache and no dvc.lock."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    (folder / "dvc.lock").unlink()
    return folder


def sweep(project: Path, name: str, thresholds: tuple[str, ...], *more: str) -> tuple[Counter[str], float]:
    """Run a sweep; return how often each stage started, and the seconds that all of it took."""
    ledger = project / ".netwright/ledger.jsonl"
    ledger.unlink(missing_ok=True)
    asked = ["experiment=smoke", f"prune.threshold={','.join(thresholds)}", f"sweep.name={name}", *more]
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    begun = time.monotonic()
    with (project / f"{name}.log").open("w", encoding="utf-8") as log:
        command = [sys.executable, "-m", "pipelines.sweep", "-m", *asked]
        subprocess.run(command, cwd=project, env=environment, check=True, stdout=log, stderr=subprocess.STDOUT)
    taken = time.monotonic() - begun
    rows = ledger.read_text("utf-8").splitlines() if ledger.is_file() else []
    return Counter(json.loads(row)["stage"] for row in rows), taken


def trials(project: Path, name: str) -> dict[str, Path]:
    """The folders of a sweep's trials by what was swept."""
    return {folder.name: folder for folder in sorted((project / "sweeps" / name).glob("experiment=*"))}


def seconds(folder: Path) -> float:
    """From the moment a trial got its slot to its results lying in their folder."""
    trial = json.loads((folder / "trial.json").read_text("utf-8"))
    return float(trial["finished"] - trial["started"])


def weights(folder: Path) -> dict[str, Any]:
    """DVC's hash of each network."""
    stages = yaml.safe_load((folder / "dvc.lock").read_text("utf-8"))["stages"]
    paths = {stage: f"models/{model}/model.safetensors" for stage, model in WEIGHTS.items()}
    return {
        stage: [out["md5"] for out in stages[stage]["outs"] if out["path"] == path] for stage, path in paths.items()
    }


def accuracies(folder: Path) -> dict[str, Any]:
    """Accuracy of every row on val and test."""
    report = json.loads((folder / "reports/benchmark.json").read_text("utf-8"))
    return {
        f"{row['export']}@{row['runtime']}": (row["val"]["map50_95"], row["test"]["map50_95"])
        for row in report.get("rows", [])
        if row["status"] == "ok"
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep_overhead", description=__doc__)
    parser.add_argument("--trials", type=int, default=5, choices=range(2, 6))
    parser.add_argument("--stub", action="store_true", help="stages that write a few bytes instead of the real ones")
    parser.add_argument("--folder", type=Path, help="where the clones are made and stay; a temporary folder otherwise")
    given = parser.parse_args()
    points = THRESHOLDS[: given.trials]
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        make = make_stub_project if given.stub else clone
        first = make(folder / "together")
        cold, _ = sweep(first, "cold", points, *TOGETHER)
        warm, whole = sweep(first, "warm", points)
        restored = [seconds(path) for path in trials(first, "warm").values()]
        second = make(folder / "alone")
        alone, _ = sweep(second, "cold", points[:2])
        pairs = [(path, trials(first, "cold")[name]) for name, path in trials(second, "cold").items()]
        same = [weights(one) == weights(other) for one, other in pairs]
        equal = [accuracies(one) == accuracies(other) for one, other in pairs]
    print("| stage starts | " + " | ".join(STAGES) + " |\n|---" + "|---" * len(STAGES) + "|")
    for title, counts in (
        (f"{len(points)} trials, empty cache, two at a time", cold),
        (f"the same {len(points)} points under another name", warm),
        ("2 trials, empty cache, one by one", alone),
    ):
        print(f"| {title} | " + " | ".join(str(counts[stage]) for stage in STAGES) + " |")
    print(f"a restored trial: median {statistics.median(restored):.1f} s, at most {max(restored):.1f} s;", end=" ")
    print(f"its sweep of {len(points)}: {whole:.1f} s, of which {whole - sum(restored):.1f} s once a sweep")
    print(f"side by side against one by one: {sum(same)} of {len(same)} with equal weights to the bit,", end=" ")
    print(f"{sum(equal)} of {len(equal)} with equal accuracies in every row")
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
