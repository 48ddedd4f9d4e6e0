"""What the frame adds to a stage: ``python -m benchmarks.frame_overhead``, against a plain Hydra + MLflow script.

Both read the same params.yaml and do no work; torch, timm and modelopt are imported by neither. The plain script has
Hydra and MLflow in one process. The frame's stage goes through the door (whole snapshot validated, undeclared
sections masked, ledger), and is then recorded by another process, as `python -m pipelines.repro` does once for all
seven stages. Rounds alternate; medians are printed, of seconds and of CPU seconds, which other work disturbs less.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EMPTY_STAGE = """
from stages._entry import Host, stage
from stages.settings import Settings

@stage("prune")
def main(settings: Settings, host: Host) -> None:
    assert settings.prune.threshold > 0

main()
"""
HYDRA_SCRIPT = """
import os
import hydra

@hydra.main(version_base="1.3", config_path=os.getcwd(), config_name="params")
def main(config) -> None:
    assert config.prune.threshold > 0

main()
"""
PLAIN_SCRIPT = """
import json, os
from pathlib import Path
import hydra
from omegaconf import OmegaConf

@hydra.main(version_base="1.3", config_path=os.getcwd(), config_name="params")
def main(config) -> None:
    assert config.prune.threshold > 0
    import mlflow
    mlflow.set_tracking_uri(f"sqlite:///{Path('plain.db').resolve()}")
    mlflow.set_experiment("plain")
    with mlflow.start_run():
        mlflow.log_params(OmegaConf.to_container(config.prune) | OmegaConf.to_container(config.train))
        mlflow.log_metrics(json.loads(Path("reports/metrics.json").read_text()))
        mlflow.log_artifact("reports/benchmark.json")
        mlflow.log_artifact("params.yaml")

main()
"""
RECORD = "from pathlib import Path; from pipelines.tracking.runs import record; assert record(Path.cwd())"


def make_project(folder: Path) -> None:
    """What a finished pipeline of one training stage leaves."""
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, folder / name)
    for name, code in {"stage": EMPTY_STAGE, "hydra": HYDRA_SCRIPT, "plain": PLAIN_SCRIPT, "record": RECORD}.items():
        (folder / f"run_{name}.py").write_text(code, "utf-8")
    (folder / "reports").mkdir()
    (folder / "models/pruned").mkdir(parents=True)
    (folder / "reports/metrics.json").write_text('{"deployed/val/map50_95": 0.5, "deployed/size_bytes": 1000}', "utf-8")
    history = "\n".join(["epoch,loss,map50_95,seconds", *(f"{epoch},1.0,0.5,2.0" for epoch in range(1, 11))])
    (folder / "models/pruned/history.csv").write_text(history + "\n", "utf-8")


def cost(folder: Path, name: str, number: int) -> tuple[float, float]:
    """Seconds and CPU seconds of the process ``name``; every round has a result of its own to record."""
    (folder / "reports/benchmark.json").write_text(f'{{"rows": [], "round": {number}}}', "utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    begun, used = time.perf_counter(), children_cpu()
    subprocess.run(
        [sys.executable, f"run_{name}.py"], cwd=folder, env=environment, check=True, capture_output=True, text=True
    )
    return time.perf_counter() - begun, children_cpu() - used


def children_cpu() -> float:
    """CPU seconds, user and system, of all child processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def lines_of(taken: dict[str, list[float]]) -> dict[str, float]:
    """Medians of the processes, and of what the frame adds in each round."""
    rounds = list(zip(taken["hydra"], taken["stage"], taken["plain"], taken["record"], strict=True))
    return {
        "plain Hydra script": statistics.median(taken["hydra"]),
        "stage through the door": statistics.median(taken["stage"]),
        "plain Hydra + MLflow script": statistics.median(taken["plain"]),
        "recording, once a pipeline": statistics.median(taken["record"]),
        "the door adds (config, masking, ledger)": statistics.median(stage - hydra for hydra, stage, _, _ in rounds),
        "a pipeline of one stage: door + recording - plain script": statistics.median(
            stage + record - plain for _, stage, plain, record in rounds
        ),
        "each of seven stages: door + recording / 7 - plain script": statistics.median(
            stage + record / 7 - plain for _, stage, plain, record in rounds
        ),
    }


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.frame_overhead", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    names = ("hydra", "stage", "plain", "record")
    walls: dict[str, list[float]] = {name: [] for name in names}
    cpus: dict[str, list[float]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_project(folder)
        for name in names:  # stores are made, byte code is compiled
            cost(folder, name, -1)
        for number in range(rounds):
            for name in names:
                wall, cpu = cost(folder, name, number)
                walls[name].append(wall)
                cpus[name].append(cpu)
    print("| median of rounds | s | CPU s |\n|---|---|---|")
    used = lines_of(cpus)
    for title, value in lines_of(walls).items():
        print(f"| {title} | {value:.2f} | {used[title]:.2f} |")
    print(f"{rounds} rounds, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
