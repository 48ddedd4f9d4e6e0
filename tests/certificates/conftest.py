"""One project is built, each test gets a copy."""

import shutil
from pathlib import Path

import pytest

from tests.certificates.project import build_project


@pytest.fixture(scope="session")
def built_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_project(tmp_path_factory.mktemp("built") / "project")


@pytest.fixture
def project(built_project: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built_project, tmp_path / "project"))
