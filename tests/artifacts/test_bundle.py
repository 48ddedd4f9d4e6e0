"""The bundle is read back as written, and a file that is not the one it names is refused."""

from pathlib import Path

import pytest

from netwright.artifacts.bundle import Bundle, ExportEntry, read_bundle, write_bundle
from netwright.artifacts.whole_file import sha256_of
from netwright.errors import UserError
from netwright.types import InputSpec


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    path = tmp_path / "trained_fp32.onnx"
    path.write_bytes(b"a model")
    entry = ExportEntry(
        name="trained_fp32",
        file=path.name,
        sha256=sha256_of(path),
        size_bytes=7,
        model="trained",
        precision="fp32",
        encoding="none",
        opset=18,
        inputs={"images": ("batch", 3, 64, 64)},
        outputs={"boxes": ("batch", 84, 4), "scores": ("batch", 84, 2)},
        params=10,
        macs=20,
        notes=("simplified",),
    )
    made = Bundle(input=InputSpec(height=64, width=64), classes=("a", "b"), exports=(entry,), tools={"onnx": "1.0"})
    write_bundle(tmp_path, made)
    return made


def test_bundle_is_read_back_as_written(bundle: Bundle, tmp_path: Path) -> None:
    assert read_bundle(tmp_path) == bundle


def test_changed_file_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / bundle.exports[0].file).write_bytes(b"another")
    with pytest.raises(UserError, match="is not the file that bundle"):
        read_bundle(tmp_path)


def test_missing_file_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / bundle.exports[0].file).unlink()
    with pytest.raises(UserError, match="is missing"):
        read_bundle(tmp_path)


def test_missing_or_damaged_bundle_says_what_to_run(bundle: Bundle, tmp_path: Path) -> None:
    assert bundle
    (tmp_path / "bundle.json").write_text('{"input": 3}')
    with pytest.raises(UserError, match="is damaged"):
        read_bundle(tmp_path)
    with pytest.raises(UserError, match="dvc repro export"):
        read_bundle(tmp_path / "elsewhere")
