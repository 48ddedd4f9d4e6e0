"""The certificate that the benchmark stage leaves, and everything that it is refused for."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from netwright.artifacts.certificate import RefusedError, check_certificate, read_certificate
from netwright.artifacts.dataset import read_labels, read_manifest, write_dataset
from netwright.artifacts.whole_file import write_json
from netwright.certificates.evidence import write_truth
from netwright.certificates.metrics import METRICS
from netwright.deployment.latency import read_latencies, write_latencies
from netwright.errors import UserError
from netwright.evaluation.detections import read_detections, write_detections
from stages._certificate.build import build_certificate, leave_certificate
from stages._entry.app import validated
from stages.settings import Settings
from tests.certificates.project import MACHINE, accuracy, git


def settings_of(project: Path, **changes: Any) -> Settings:
    params = yaml.safe_load((project / "params.yaml").read_text("utf-8"))
    params["certificate"] |= changes
    return validated(params)


def left(project: Path, **changes: Any) -> dict[str, Any]:
    leave_certificate(settings_of(project, **changes), project)
    return read_certificate(project / "reports")


def test_a_sound_result_is_certified(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    certificate = left(project)
    report = json.loads((project / "reports/benchmark.json").read_text("utf-8"))
    row = report["rows"][2]
    assert certificate["deployed"] == "quantized_int8@openvino"
    assert certificate["accuracy"]["test"]["overall"]["map50_95"]["value"] == row["test"]["map50_95"]
    assert certificate["speed"]["latency_ms"] == row["latency_ms"]
    assert certificate["lineage"][-1]["speedup"]["value"] == report["comparison"]["speedup"]
    assert [step["model"] for step in certificate["lineage"]] == ["trained", "pruned", "quantized"]
    assert certificate["training"]["configuration"]["train"]["epochs"] == 1
    assert certificate["training"]["seeds"]["train.seed"] == 1
    assert "1e-05" not in json.dumps(certificate["training"]).replace(": 1e-05", "")  # a number, not text
    assert set(certificate["stages"]) == {"convert", "pretrain-init", "train", "prune", "qat", "export"}
    assert "exports/quantized_int8.onnx" in certificate["files"]
    assert "certified quantized_int8@openvino" in capsys.readouterr().out


def test_equal_results_give_equal_certificates(project: Path, tmp_path: Path) -> None:
    """Elsewhere, later, at another commit."""
    first = left(project)
    (project / "notes.txt").write_text("another commit")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "another")
    second = left(shutil.copytree(project, tmp_path / "elsewhere"))
    assert first == second
    assert str(tmp_path) not in json.dumps(first)


def test_intervals_hold_the_value_and_narrow_with_confidence(project: Path) -> None:
    wide = left(project, confidence=0.99)["accuracy"]["test"]["overall"]["map50_95"]
    narrow = left(project, confidence=0.5)["accuracy"]["test"]["overall"]["map50_95"]
    assert wide["low"] <= narrow["low"] <= narrow["value"] <= narrow["high"] <= wide["high"]
    assert wide["high"] - wide["low"] > 0.01


def test_every_metric_can_be_certified(project: Path) -> None:
    certificate = left(project, metrics=list(METRICS))
    overall = certificate["accuracy"]["test"]["overall"]
    assert set(overall) == set(METRICS)
    assert [name for name, one in overall.items() if "low" in one] == ["map50_95", "map50", "map75"]
    assert overall["map_large"]["value"] is None  # the drawn digits are smaller


def test_an_unknown_metric_is_refused_before_any_work(project: Path) -> None:
    with pytest.raises(UserError, match=r"certificate.metrics\[0\] must be one of map50_95.*map40.*did you mean map50"):
        settings_of(project, metrics=["map40"])


def test_a_refusal_takes_the_certificates_place_and_the_stage_goes_on(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left(project)
    leave_certificate(settings_of(project, limitations=[]), project)
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith("benchmark: no certificate: certificate.limitations is empty: write in conf/")
    kept = json.loads((project / "reports/certificate.json").read_text("utf-8"))
    assert set(kept) == {"version", "refused"}
    with pytest.raises(RefusedError, match="limitations is empty"):
        read_certificate(project / "reports")
    with pytest.raises(ValueError, match=r"required property|unexpected"):
        check_certificate(kept)


def test_what_a_hand_made_result_lacks_is_a_refusal_too(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "models/init/init.json").unlink()
    leave_certificate(settings_of(project), project)
    assert "no certificate: models/init/init.json is not what dvc.lock says" in capsys.readouterr().out
    (project / "reports/raw/latencies.parquet").write_bytes(b"PAR1")
    build_lock(project)
    leave_certificate(settings_of(project), project)
    assert "no certificate: the raw results in" in capsys.readouterr().out


def build_lock(project: Path) -> None:
    """dvc.lock of a project in which pretrain-init made nothing."""
    lock = yaml.safe_load((project / "dvc.lock").read_text("utf-8"))
    lock["stages"]["pretrain-init"]["outs"] = []
    (project / "dvc.lock").write_text(yaml.safe_dump(lock))


def in_report(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def apply(project: Path) -> None:
        path = project / "reports/benchmark.json"
        report = json.loads(path.read_text("utf-8"))
        change(report)
        write_json(path, report)

    return apply


def failed(report: dict[str, Any]) -> None:
    row = report["rows"][1]
    for key in ("val", "test", "latency_ms", "throughput_ips"):
        del row[key]
    row.update(status="failed", reason="scoring: RuntimeError")


def other_lock(project: Path) -> None:
    (project / "models/pruned/architecture.json").write_text("{}\n")


def other_code_values(project: Path) -> None:
    lock = json.loads(json.dumps(yaml.safe_load((project / "dvc.lock").read_text("utf-8"))))  # no shared parts
    lock["stages"]["qat"]["params"]["params.yaml"]["train"]["epochs"] = 7
    (project / "dvc.lock").write_text(yaml.safe_dump(lock))


def one_video(project: Path) -> None:
    """As a dataset whose test split is the frames of one video leaves it."""
    folder = project / "reports/raw/truth"
    manifest = read_manifest(folder)
    rows = {split: read_labels(folder, split) for split in ("val", "test")}
    records = [*rows["val"], *(replace(record, group="one video") for record in rows["test"])]
    write_dataset(folder, manifest.name, manifest.classes, records, fingerprint=manifest.fingerprint)


REFUSALS: dict[str, tuple[Callable[[Path], object], str]] = {
    "disturbed": (in_report(lambda r: r["rows"][2].update(disturbed=True)), "quantized_int8@openvino is disturbed"),
    "disturbed baseline": (
        in_report(lambda r: r["rows"][0].update(disturbed=True)),
        "trained_fp32@openvino is disturb",
    ),
    "parity failed": (
        in_report(lambda r: r["rows"][2]["parity"].update(status="failed", reason="scores differ")),
        r"parity of row quantized_int8@openvino is failed \(scores differ\)",
    ),
    "parity not run": (in_report(lambda r: r["rows"][2]["parity"].update(status="not_run")), "is not_run"),
    "row failed": (in_report(failed), r"row pruned_fp32@openvino is failed \(scoring: RuntimeError\)"),
    "row missing": (in_report(lambda r: r["rows"].pop(1)), "no row of model pruned on openvino"),
    "another machine": (
        in_report(lambda r: r["machine"]["cpu"].update(model="another")),
        r"measured on another machine \(cpu differ\)",
    ),
    "no machine": (in_report(lambda r: r.update(machine={})), "knows no machine"),
    "no epochs": (in_report(lambda r: r["epochs"].pop("pruned")), r"field is missing or wrong: \$.lineage\[1\].epochs"),
    "other accuracy": (
        in_report(lambda r: r["rows"][2]["test"].update(map50=0.123)),
        "benchmark.json has map50 0.123 of quantized_int8@openvino on test, its raw detections give",
    ),
    "no lock": (lambda project: (project / "dvc.lock").unlink(), "no dvc.lock here"),
    "damaged lock": (lambda project: (project / "dvc.lock").write_text("stages: ["), "dvc.lock is damaged"),
    "other model": (other_lock, "models/pruned/architecture.json is not what dvc.lock says that prune made"),
    "other values": (other_code_values, "qat ran with other values of train"),
    "one video": (one_video, r"split test has \d+ boxes in \d+ pictures \(1 independent groups of them\)"),
    "no git": (lambda project: shutil.rmtree(project / ".git"), "git cannot list the code"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_no_certificate_for(project: Path, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(project.parent))
    write_truth(project / "reports", project / "data/converted")
    spoil, reason = REFUSALS[case]
    spoil(project)
    with pytest.raises(RefusedError, match=reason):
        build_certificate(settings_of(project), project, MACHINE)


def test_no_certificate_without_a_licence(project: Path) -> None:
    with pytest.raises(RefusedError, match="dataset_licence is empty"):
        left(project, dataset_licence=" ")


def test_a_missing_picture_in_the_raw_results_is_named(project: Path) -> None:
    path = project / "reports/raw/detections.parquet"
    write_detections(path, read_detections(path)[:-1])
    with pytest.raises(UserError, match=r"raw/detections.parquet has 6 pictures of quantized_int8@openvino on test"):
        left(project)


def test_accuracy_is_that_of_an_independent_reading(project: Path) -> None:
    """The certificate's numbers against COCOeval on the files that a reader of the release has."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    from netwright.evaluation.coco_format import coco_dataset, coco_results
    from netwright.evaluation.truth import read_truth

    certificate = left(project, metrics=["map50_95", "map75", "ar100"])
    truth = read_truth(project / "reports/raw/truth", "test")
    rows = read_detections(project / "reports/raw/detections.parquet")
    found = {picture: one for export, _, split, picture, one in rows if (export, split) == ("quantized_int8", "test")}
    reference = COCO()
    reference.dataset = coco_dataset(truth)
    reference.createIndex()
    results = reference.loadRes(coco_results([found[name] for name in truth.names]))
    oracle = COCOeval(reference, results, "bbox")
    oracle.evaluate()
    oracle.accumulate()
    oracle.summarize()
    overall = certificate["accuracy"]["test"]["overall"]
    told = [overall[name]["value"] for name in ("map50_95", "map75", "ar100")]
    assert told == pytest.approx([oracle.stats[0], oracle.stats[2], oracle.stats[8]], abs=1e-9)
    assert accuracy(truth, [found[name] for name in truth.names])["map50_95"] == overall["map50_95"]["value"]


def test_latencies_survive_their_file(project: Path, tmp_path: Path) -> None:
    samples = read_latencies(project / "reports/raw/latencies.parquet")
    write_latencies(tmp_path / "again.parquet", samples)
    again = read_latencies(tmp_path / "again.parquet")
    assert list(again) == [(name, "openvino") for name in ("trained_fp32", "pruned_fp32", "quantized_int8")]
    assert all(np.array_equal(again[row].milliseconds, samples[row].milliseconds) for row in samples)
