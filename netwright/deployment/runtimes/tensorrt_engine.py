"""Building and running TensorRT engines through Polygraphy, for TensorRT and TensorRT-RTX alike.

Polygraphy picks the flavour once in a process, when its TensorRT backend is first imported; so one process serves
one flavour. Networks are strongly typed: precision is what the ONNX file says.
"""

import ctypes
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from netwright.artifacts.whole_file import sha256_of, write_bytes
from netwright.deployment.runtimes.protocol import (
    Conditions,
    Outputs,
    Pixels,
    RuntimeFacts,
    RuntimeMissingError,
    Source,
)


@dataclass(frozen=True)
class Flavour:
    """One of the two TensorRTs: runtime name, Python package, extra that installs it."""

    name: str
    package: str
    extra: str


class TensorRt:
    """An engine of ``flavour``, built for this machine on first use and kept in ``source.engines``."""

    def __init__(self, flavour: Flavour, source: Source, conditions: Conditions) -> None:
        self.name = flavour.name
        require_package(flavour)
        if not cuda_devices():
            raise RuntimeMissingError(f"{flavour.name} needs an NVIDIA GPU to run, this machine has none")
        backend = load_backend(flavour)
        self._version = str(sys.modules[flavour.package].__version__)
        self._batch = conditions.batch
        engine = engine_path(source, flavour, self._version, conditions.batch)
        if not engine.exists():
            write_bytes(engine, build_engine(flavour, source.onnx, batch=conditions.batch))
        from polygraphy.backend.common import BytesFromPath

        self._runner = backend.TrtRunner(backend.EngineFromBytes(BytesFromPath(str(engine))))
        self._runner.activate()

    def describe(self) -> RuntimeFacts:
        """Precision is explicit in the file for a strongly typed network."""
        return RuntimeFacts(version=self._version, device="cuda", precision_used="as in the file", threads=1)

    def run(self, pixels: Pixels) -> Outputs:
        """One inference; a smaller last batch is filled up and cut again."""
        short = self._batch - len(pixels)
        filled = np.concatenate([pixels, np.repeat(pixels[-1:], short, axis=0)]) if short > 0 else pixels
        found = self._runner.infer({"images": np.ascontiguousarray(filled)})
        return found["boxes"][: len(pixels)].copy(), found["scores"][: len(pixels)].copy()


def require_package(flavour: Flavour) -> None:
    """Raise RuntimeMissingError where the Python package is not installed."""
    if importlib.util.find_spec(flavour.package) is None:
        raise RuntimeMissingError(
            f"the package {flavour.package} is not installed: pip install -e '.[{flavour.extra}]'"
        )


def cuda_devices() -> int:
    """Number of CUDA devices that the driver sees; 0 without a driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    found = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(found)) != 0:
        return 0
    return found.value


def load_backend(flavour: Flavour) -> Any:
    """Polygraphy's TensorRT backend in ``flavour``; RuntimeMissingError where the process serves the other one."""
    from polygraphy import config

    wanted = flavour.package == "tensorrt_rtx"
    if "polygraphy.backend.trt.loader" in sys.modules and wanted != config.USE_TENSORRT_RTX:
        raise RuntimeMissingError(
            "one process runs either tensorrt or tensorrt_rtx: leave one out of benchmark.runtimes"
        )
    config.USE_TENSORRT_RTX = wanted
    importlib.import_module(flavour.package)
    import polygraphy.backend.trt as backend

    return backend


def build_engine(
    flavour: Flavour, onnx: Path, *, batch: int, compute_capabilities: tuple[tuple[int, int], ...] = ()
) -> bytes:
    """A serialized engine for batches of exactly ``batch``.

    ``compute_capabilities`` (TensorRT-RTX alone) builds ahead of time for those GPUs, which needs none here.
    """
    backend = load_backend(flavour)
    network = backend.NetworkFromOnnxPath(str(onnx), strongly_typed=True)
    shape = _input_shape(onnx, batch)
    profile = backend.Profile().add("images", min=shape, opt=shape, max=shape)
    if compute_capabilities:
        from polygraphy.backend.tensorrt_rtx import CreateConfigRTX

        config = CreateConfigRTX(profiles=[profile], compute_capabilities=list(compute_capabilities))
    else:
        config = backend.CreateConfig(profiles=[profile])
    return bytes(backend.EngineBytesFromNetwork(network, config=config)())


def engine_path(source: Source, flavour: Flavour, version: str, batch: int) -> Path:
    """Where the engine of this file, flavour, version and batch is kept."""
    return source.engines / f"{source.onnx.stem}-{sha256_of(source.onnx)[:12]}-{flavour.name}-{version}-b{batch}.engine"


def _input_shape(path: Path, batch: int) -> tuple[int, ...]:
    import onnx

    dims = onnx.load(path).graph.input[0].type.tensor_type.shape.dim
    return (batch, *(int(dim.dim_value) for dim in dims[1:]))
