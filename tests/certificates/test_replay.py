"""What replay refuses before it measures; docs/guide.md's test replays a real release."""

import json
from pathlib import Path

import pytest

from netwright.artifacts.certificate import read_certificate
from netwright.certificates.replay import replay
from netwright.errors import UserError
from stages._certificate.build import leave_certificate
from tests.certificates.test_build import settings_of


def test_another_dataset_is_refused(project: Path) -> None:
    leave_certificate(settings_of(project), project)
    certificate = read_certificate(project / "reports")
    manifest = project / "data/converted/manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text("utf-8")) | {"fingerprint": "0" * 64}), "utf-8")
    with pytest.raises(UserError, match=r"has the fingerprint 0{16}, certified is [0-9a-f]{16}"):
        replay(certificate, project / "exports", data=project / "data/converted", scratch=project / "scratch")


def test_a_row_that_does_not_run_here_is_named(project: Path) -> None:
    """The exports of this project are no networks."""
    leave_certificate(settings_of(project), project)
    certificate = read_certificate(project / "reports")
    with pytest.raises(UserError, match="row trained_fp32@openvino does not run here: opening"):
        replay(certificate, project / "exports", data=project / "data/converted", scratch=project / "scratch")


def test_a_torch_row_cannot_be_replayed(project: Path) -> None:
    leave_certificate(settings_of(project), project)
    certificate = read_certificate(project / "reports")
    certificate["baseline"] = certificate["lineage"][0]["row"] = "trained_fp32@torch"
    with pytest.raises(UserError, match="a torch row can be verified, but not replayed"):
        replay(certificate, project / "exports", data=project / "data/converted", scratch=project / "scratch")
