"""What `dvc repro` leaves in a project, as far as recording reads it."""

import json
import shutil
import time
from pathlib import Path

import yaml

from netwright.data.report.report import make_report, write_report
from tests.data.examined_pictures import CLASSES, OFFENCES, PICTURES, about, survey_of

ROOT = Path(__file__).resolve().parents[2]
HISTORY = "epoch,loss,loss_class,map50_95,seconds\n1,2.5,1.0,,4\n2,1.5,0.5,0.4,5\n"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def make_result(project: Path, *, threshold: float = 0.3, trained: str = "aa") -> None:
    """What ``dvc repro`` leaves, as far as record reads it; ``trained`` stands for the trained weights' hash."""
    shutil.copy(ROOT / "dvc.yaml", project / "dvc.yaml")
    snapshot = {"dataset": {"name": "digits"}, "train": {"epochs": 2, "levels": [8, 16]}, "nms": {"iou_threshold": 0.6}}
    write(project / "params.yaml", yaml.safe_dump(snapshot | {"prune": {"threshold": threshold, "exclude": []}}))
    outs = {"train": trained, "prune": f"{trained}{threshold}"}
    lock = {name: {"cmd": "x", "outs": [{"path": name, "md5": md5}]} for name, md5 in outs.items()}
    write(project / "dvc.lock", yaml.safe_dump({"schema": "2.0", "stages": lock}))
    for folder in ("trained", "pruned"):
        write(project / f"models/{folder}/history.csv", HISTORY)
        write(project / f"models/{folder}/metrics.json", json.dumps({"val": {"map50_95": 0.4}, "epochs": 2}))
    figures = {"deployed/test/map50_95": 0.7 - threshold, "baseline/test/map50_95": 0.71, "parity/passed": True}
    write(project / "reports/metrics.json", json.dumps(figures | {"speedup": None, "deployed/size_bytes": 1000}))
    write(project / "reports/benchmark.json", json.dumps({"rows": [], "threshold": threshold}))
    write(project / "reports/index.html", "<p>report</p>")
    write(project / "exports/bundle.json", "{}")
    write(project / "data/converted/index.html", "<p>data</p>")
    survey = survey_of(PICTURES, CLASSES)
    data_report = make_report(about(), survey, iter(OFFENCES))
    write_report(project / "data/converted/report.json", data_report, iter(OFFENCES))


def note_start(project: Path, *stages: str) -> None:
    """What the stages' door appends when a stage really starts."""
    with (project / ".netwright/ledger.jsonl").open("a") as ledger:
        for stage in stages:
            row = {"stage": stage, "started": time.time(), "pid": 1, "folder": str(project.resolve())}
            ledger.write(json.dumps(row) + "\n")
