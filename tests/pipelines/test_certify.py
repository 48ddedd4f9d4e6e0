"""issue and verify as commands on a miniature result: what holds, what is refused; nothing is left half done."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netwright.artifacts.whole_file import sha256_of, write_json
from netwright.certificates.keys import ensure_key, public_path
from netwright.certificates.signature import SIGNATURE, sign_folder
from netwright.errors import UserError
from netwright.evaluation.detections import Detections, read_detections, write_detections
from pipelines.certify import __main__ as certify
from pipelines.certify import release as issuing
from pipelines.certify.checks import verify_release
from pipelines.certify.release import issue_release
from stages._entry.failures import guarded
from tests.certificates.project import MACHINE, build_project, commit, git
from tests.certificates.test_build import settings_of

NAME = "cells-1.0"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    private = tmp_path_factory.mktemp("keys") / "signing.pem"
    ensure_key(private)
    return private


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, key: Path) -> Path:
    """A project with one release."""
    from stages._certificate.build import leave_certificate

    project = build_project(tmp_path_factory.mktemp("certify") / "project")
    leave_certificate(settings_of(project), project)
    with pytest.MonkeyPatch.context() as patch:
        as_measured_here(patch)
        issue_release(project, NAME, project / "release", key, replace=False)
    return project


def as_measured_here(patch: pytest.MonkeyPatch) -> None:
    """This machine is the one of the report, and DVC finds nothing to do: a slow test asks the real one."""
    patch.setattr(issuing, "describe_machine", lambda: MACHINE)
    patch.setattr(issuing, "_check_up_to_date", lambda project: None)


@pytest.fixture
def project(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    as_measured_here(monkeypatch)
    copy = Path(shutil.copytree(built, tmp_path / "project"))
    monkeypatch.chdir(copy)
    return copy


@pytest.fixture
def release(project: Path) -> Path:
    return project / "release" / NAME


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["certify", *arguments])
    return guarded("certify", certify.main)


def test_issue_then_verify(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert run(monkeypatch, "issue", "second") == 0
    out = capsys.readouterr().out
    private = tmp_path / "config/netwright/signing.pem"
    assert f"made the key {private}" in out
    assert private.stat().st_mode & 0o777 == 0o600
    assert run(monkeypatch, "verify", "release/second") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "certify: verified: release/second"
    assert len(said) == 5
    assert said[3].endswith("holds it")
    assert run(monkeypatch, "key") == 0
    assert str(public_path(private)) in capsys.readouterr().out


def test_a_release_holds_what_its_reader_needs(project: Path, release: Path) -> None:
    names = {path.relative_to(release).as_posix() for path in release.rglob("*") if path.is_file()}
    assert names == {
        *("certificate.json", "certificate.html", "certificate.md", "release.json", "model.sig"),
        *("params.yaml", "dvc.lock", "data/converted/report.json", "data/converted/index.html"),
        *("models/init/init.json", "models/quantized/architecture.json"),
        *(
            f"exports/{name}"
            for name in ("bundle.json", "trained_fp32.onnx", "pruned_fp32.onnx", "quantized_int8.onnx")
        ),
        *(f"reports/{name}" for name in ("benchmark.json", "metrics.json", "index.html")),
        *(f"reports/raw/{name}" for name in ("detections.parquet", "latencies.parquet")),
        *(f"reports/raw/truth/{name}" for name in ("manifest.json", "val-000.parquet", "test-000.parquet")),
    }
    facts = json.loads((release / "release.json").read_text("utf-8"))
    assert facts["name"] == NAME
    assert facts["commit"] == git(project, "rev-parse", "HEAD").strip()
    assert facts["files"]["dvc.lock"] == sha256_of(project / "dvc.lock")


def test_the_same_result_issued_twice_differs_in_name_and_signature_alone(
    project: Path, release: Path, key: Path
) -> None:
    again = issue_release(project, "again", project / "release", key, replace=False)
    differing = {
        path.name
        for path in release.rglob("*")
        if path.is_file() and path.read_bytes() != (again / path.relative_to(release)).read_bytes()
    }
    assert differing == {"release.json", "model.sig", "certificate.html", "certificate.md"}


def test_the_code_hash_is_what_git_prints(project: Path, release: Path) -> None:
    import hashlib

    code = json.loads((release / "certificate.json").read_text("utf-8"))["code"]
    listed = git(project, "ls-tree", "-r", "HEAD", *code["paths"])
    assert hashlib.sha256(listed.encode()).hexdigest() == code["sha256"]


def test_code_is_checked_where_the_commit_is(
    project: Path, release: Path, key: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert "code: not checked, commit" in list(verify_release(release, public_path(key)))[3]
    monkeypatch.chdir(project)
    claim("code", "sha256", value="0" * 64)(release)
    sign_again(release, key)
    with pytest.raises(UserError, match="holds other code than the certificate's 000000000000"):
        list(verify_release(release, public_path(key)))


# ---- what issue refuses


def unclean(project: Path) -> None:
    (project / "netwright/code.py").write_text("# edited\n")


ISSUE_REFUSALS: dict[str, tuple[tuple[str, ...], Callable[[Path], object], str]] = {
    "taken": ((NAME,), lambda p: None, f"release/{NAME} exists: choose another name, or replace it with --replace"),
    "no release": (
        ("kept", "--replace"),
        lambda p: (p / "release/kept").mkdir(),
        "is no release, so --replace does not",
    ),
    "odd name": (("../x",), lambda p: None, "'../x' cannot name a release"),
    "edited code": (("new",), unclean, "netwright/code.py is not committed"),
    "new conf": (("new",), lambda p: (p / "conf/mine.yaml").touch(), "conf/mine.yaml is not committed"),
    "no git": (("new",), lambda p: shutil.rmtree(p / ".git"), "git does not know this project"),
    "export gone": (("new",), lambda p: (p / "exports/pruned_fp32.onnx").unlink(), "exports is not what dvc.lock says"),
    "key inside": (("new", "--key", "release/key"), lambda p: None, "the private key release/key is inside release"),
    "refused": (
        ("new",),
        lambda p: disturb(p / "reports/benchmark.json"),
        "row quantized_int8@openvino is disturbed",
    ),
}


def disturb(path: Path) -> None:
    report = json.loads(path.read_text("utf-8"))
    report["rows"][2]["disturbed"] = True
    write_json(path, report)


@pytest.mark.parametrize("case", ISSUE_REFUSALS)
def test_issue_refuses_in_one_line_and_leaves_nothing(
    project: Path, key: Path, case: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(project.parent))
    monkeypatch.setenv("NETWRIGHT_SIGNING_KEY", str(key))
    arguments, spoil, reason = ISSUE_REFUSALS[case]
    spoil(project)
    before = sorted(project.joinpath("release").rglob("*"))
    assert run(monkeypatch, "issue", *arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert reason in line
    assert sorted(project.joinpath("release").rglob("*")) == before


def test_another_machine_is_refused(project: Path, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuing, "describe_machine", lambda: MACHINE | {"gpus": ["one"]})
    with pytest.raises(UserError, match=r"another machine \(gpus differ\)"):
        issue_release(project, "new", project / "release", key, replace=False)


@pytest.mark.parametrize("broken", ["sign_folder", "write_certificate_page"])
def test_a_failure_midway_leaves_the_old_release_and_no_scraps(
    project: Path, release: Path, key: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    before = {path: path.read_bytes() for path in release.rglob("*") if path.is_file()}

    def fail(*_arguments: Any, **_more: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(issuing, broken, fail)
    with pytest.raises(KeyboardInterrupt):
        issue_release(project, NAME, project / "release", key, replace=True)
    assert [path.name for path in release.parent.iterdir()] == [NAME]
    assert {path: path.read_bytes() for path in release.rglob("*") if path.is_file()} == before


def test_replace_puts_the_new_one_in_its_place(project: Path, release: Path, key: Path) -> None:
    (project / "params.yaml").write_text((project / "params.yaml").read_text() + "# a comment\n")
    commit(project)
    issue_release(project, NAME, project / "release", key, replace=True)
    assert (release / "params.yaml").read_text().endswith("# a comment\n")
    assert [path.name for path in release.parent.iterdir()] == [NAME]
    assert list(verify_release(release, public_path(key)))[-1] == f"verified: {release}"


# ---- what verify finds, though the signature is good: the issuer's own mistakes and lies


def claim(*path: str | int, value: Any) -> Callable[[Path], None]:
    def apply(release: Path) -> None:
        certificate = json.loads((release / "certificate.json").read_text("utf-8"))
        place = certificate
        for step in path[:-1]:
            place = place[step]
        if value is None:
            del place[path[-1]]
        else:
            place[path[-1]] = value
        write_json(release / "certificate.json", certificate)

    return apply


def other_detections(release: Path) -> None:
    path = release / "reports/raw/detections.parquet"
    rows = read_detections(path)
    better = [
        (*row[:4], Detections(row[4].boxes[:1], row[4].scores[:1], row[4].labels[:1]))
        if row[0] == "quantized_int8"
        else row
        for row in rows
    ]
    write_detections(path, better)
    claim("files", "reports/raw/detections.parquet", value=sha256_of(path))(release)


def overall(split: str, metric: str, part: str) -> tuple[str, ...]:
    return ("accuracy", split, "overall", metric, part)


LIES: dict[str, tuple[Callable[[Path], object], str]] = {
    "accuracy": (
        claim(*overall("test", "map50_95", "value"), value=0.9),
        r"accuracy.test.overall.map50_95.value = 0.9",
    ),
    "interval": (claim(*overall("val", "map50", "low"), value=0.0), "accuracy.val.overall.map50.low = 0.0, the files"),
    "class": (
        claim("accuracy", "test", "per_class", "3", "metrics", "map50", "value", value=0.99),
        "accuracy.test.per_class.3.metrics.map50.value = 0.99",
    ),
    "latency": (claim("speed", "latency_ms", "p95", value=0.5), "speed.latency_ms.p95 = 0.5"),
    "throughput": (claim("speed", "throughput_ips", value=9999.0), "speed.throughput_ips = 9999.0"),
    "precision": (claim("speed", "precision_used", value="int4"), "speed.precision_used = 'int4'"),
    "speedup": (claim("lineage", 2, "speedup", "value", value=99.0), r"lineage\[2\].speedup.value = 99.0"),
    "points": (claim("lineage", 1, "points", "test", "value", value=3.0), r"lineage\[1\].points.test.value = 3.0"),
    "size": (claim("lineage", 2, "size_bytes", value=5), r"lineage\[2\].size_bytes = 5"),
    "parity": (claim("parity", 0, "reason", value="perfect"), r"parity\[0\].reason = 'perfect'"),
    "machine": (claim("machine", "cpu", "model", value="a faster one"), "machine.cpu.model = 'a faster one'"),
    "dataset": (claim("dataset", "splits", "test", "images", value=900), "dataset.splits.test.images = 900"),
    "input": (claim("architecture", "input", "height", value=32), "architecture.input.height = 32"),
    "backbone": (claim("architecture", "backbone", value="another"), "architecture.backbone = 'another'"),
    "weights": (claim("weights", "licence", value="MIT"), "weights.licence = 'MIT', the files beside it give 'none'"),
    "licence": (claim("dataset", "licence", value="public domain"), "dataset.licence = 'public domain'"),
    "limitations": (claim("limitations", value=["Nothing."]), r"limitations\[0\] = 'Nothing.'"),
    "resamples": (claim("method", "resamples", value=5000), "method.resamples = 5000"),
    "epochs": (claim("training", "configuration", "train", "epochs", value=80), "configuration.train.epochs = 80"),
    "stage": (claim("stages", "qat", "outs", "models/quantized/architecture.json", value="f" * 32), "stages.qat.outs"),
    "file": (claim("files", "exports/pruned_fp32.onnx", value="0" * 64), "pruned_fp32.onnx is not the file that was"),
    "file left out": (claim("files", "exports/pruned_fp32.onnx", value=None), "files.exports/pruned_fp32.onnx = None"),
    "raw results": (other_detections, "benchmark.json has map50_95 .* of quantized_int8@openvino on val"),
    "version": (claim("version", value=2), r"is of schema version 2, known is 1"),
    "missing field": (claim("dataset", "licence", value=None), r"\$.dataset: 'licence' is a required property"),
    "no limitations": (claim("limitations", value=[]), r"\$.limitations"),
    "disturbed": (lambda release: told_in_report(release, disturbed=True), "row quantized_int8@openvino is disturbed"),
    "parity failed": (
        lambda release: told_in_report(release, parity={"status": "failed", "reason": "no", "reference": "torch"}),
        "parity of row quantized_int8@openvino is failed",
    ),
    "dvc.lock": (
        lambda release: (release / "dvc.lock").write_text("stages: {}\n"),
        "dvc.lock is not the file that was",
    ),
    "no facts": (lambda release: (release / "release.json").unlink(), "no release.json in"),
    "no commit": (lambda release: write_facts(release, commit="--output=x"), "names no commit: '--output=x'"),
    "facts of another version": (lambda release: write_facts(release, version=3), "is of version 3, known is 1"),
}


def told_in_report(release: Path, **changes: Any) -> None:
    path = release / "reports/benchmark.json"
    report = json.loads(path.read_text("utf-8"))
    report["rows"][2] |= changes
    write_json(path, report)
    claim("files", "reports/benchmark.json", value=sha256_of(path))(release)


def write_facts(release: Path, **changes: Any) -> None:
    path = release / "release.json"
    write_json(path, json.loads(path.read_text("utf-8")) | changes)


def sign_again(release: Path, key: Path) -> None:
    """With the certificate's new hash in release.json, as an issuer would."""
    if (release / "release.json").is_file():
        facts = json.loads((release / "release.json").read_text("utf-8"))
        write_facts(release, files=facts["files"] | {"certificate.json": sha256_of(release / "certificate.json")})
    (release / SIGNATURE).unlink()
    sign_folder(release, key)


@pytest.mark.parametrize("case", LIES)
def test_verify_names_what_does_not_hold(release: Path, key: Path, case: str) -> None:
    lie, reason = LIES[case]
    lie(release)
    sign_again(release, key)
    with pytest.raises(UserError, match=reason):
        list(verify_release(release, public_path(key)))


def test_verify_of_what_is_no_release(
    project: Path, key: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    public = str(public_path(key))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nobody"))
    for arguments, reason in (
        (("nowhere", "--public-key", public), "no folder nowhere"),
        (("exports", "--public-key", public), "no model.sig in exports"),
        ((f"release/{NAME}",), "whose release is it?"),
    ):
        assert run(monkeypatch, "verify", *arguments) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert reason in line
