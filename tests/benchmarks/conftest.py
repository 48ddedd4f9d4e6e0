"""The toy project, made once for all tests here."""

import shutil
from pathlib import Path

import pytest

from tests.benchmarks.toy_project import make_project


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    make_project(folder)
    return folder


@pytest.fixture
def toy(made_once: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(made_once, tmp_path / "toy", symlinks=True)
    return tmp_path / "toy"
