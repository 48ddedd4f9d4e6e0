"""TensorRT-RTX builds engines ahead of time, which needs its package but no GPU."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from netwright.deployment import graph
from netwright.deployment.qdq_rewrite import fold_weights, merge_zero_pads

from .conftest import Tiny

BUILD = """
import sys
from pathlib import Path
from netwright.deployment.runtimes.tensorrt_engine import build_engine
from netwright.deployment.runtimes.tensorrt_rtx_runtime import TENSORRT_RTX
content = build_engine(TENSORRT_RTX, Path(sys.argv[1]), batch=1, compute_capabilities=((8, 9),))
Path(sys.argv[2]).write_bytes(content)
"""


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("tensorrt_rtx") is None,
    reason="tensorrt_rtx is not installed: make test-slow fetches it",
)
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_engine_is_built_without_a_gpu(tiny: Tiny, tiny_int8: Tiny, precision: str, tmp_path: Path) -> None:
    """In a process of its own: Polygraphy chooses its TensorRT once for each process."""
    made = {"fp32": tiny, "int8": tiny_int8}[precision]
    model = onnx.ModelProto()
    model.CopyFrom(made.model)
    fold_weights(model)
    merge_zero_pads(model)
    onnx.save(model, tmp_path / "model.onnx")
    engine = tmp_path / "model.engine"
    command = [sys.executable, "-c", BUILD, str(tmp_path / "model.onnx"), str(engine)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert engine.stat().st_size > 50_000
    assert precision == "fp32" or graph.quantized_uses(model) > 100
