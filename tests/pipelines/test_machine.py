"""machine.json names what changes measurements, and nothing that tells machines of one kind apart."""

import json
import socket
from pathlib import Path

import pytest

from pipelines import machine


def test_facts_of_this_machine(tmp_path: Path) -> None:
    facts = json.loads(machine.write_machine(tmp_path).read_text("utf-8"))
    assert facts["cpu"]["cores"] >= 1
    assert {"torch", "onnxruntime", "openvino"} <= set(facts["runtimes"])
    assert socket.gethostname() not in json.dumps(facts)


def test_file_is_rewritten_only_when_a_fact_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = machine.write_machine(tmp_path)
    before = path.stat().st_ino
    assert machine.write_machine(tmp_path).stat().st_ino == before
    monkeypatch.setattr(machine, "_version", lambda name: "9.9" if name == "tensorrt-rtx" else None)
    assert json.loads(machine.write_machine(tmp_path).read_text("utf-8"))["runtimes"] == {"tensorrt-rtx": "9.9"}


def test_gpus_come_from_nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "nvidia-smi"
    fake.write_text("#!/bin/sh\necho 'NVIDIA H200, 143771 MiB, 580.82'\n", "utf-8")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert machine.describe_machine()["gpus"] == [{"name": "NVIDIA H200", "memory": "143771 MiB", "driver": "580.82"}]
