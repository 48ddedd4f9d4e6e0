"""Import directions, and what must not be needed to import."""

import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parents[2]
OPTIONAL = ("tensorrt", "tensorrt_rtx", "pycocotools", "hypothesis", "pytest", "nvidia_pyindex")
IMPORT_ALL = """
import importlib, pathlib, sys
for name in {optional!r}:
    sys.modules[name] = None
files = [path for top in ("netwright", "stages", "pipelines") for path in sorted(pathlib.Path(top).rglob("*.py"))]
for path in files:
    parts = path.with_suffix("").parts
    importlib.import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
print(len(files))
"""
HEAVY = ("torch", "timm", "modelopt", "mlflow", "onnx", "onnxruntime", "openvino", "numpy", "pyarrow", "lightning")
IMPORT_STAGES = """
import importlib, pathlib, sys
for path in pathlib.Path("stages").glob("*.py"):
    importlib.import_module("stages." + path.stem) if not path.stem.startswith("_") else None
print(",".join(name for name in {heavy!r} if name in sys.modules))
"""


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_contracts_are_kept(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert status == 0, capsys.readouterr().out


def test_everything_imports_without_optional_dependencies() -> None:
    assert int(run_python(IMPORT_ALL.format(optional=OPTIONAL))) > 40


def test_importing_the_stages_costs_nothing_heavy() -> None:
    assert run_python(IMPORT_STAGES.format(heavy=HEAVY)) == "", "a stage imports this before it knows what is asked"
