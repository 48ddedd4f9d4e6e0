"""The runtimes by name. A new one is a file beside this and a line here."""

from collections.abc import Callable
from importlib import import_module
from typing import cast

from netwright.deployment.runtimes.protocol import Conditions, Runtime, RuntimeMissingError, Source
from netwright.errors import UserError

Opener = Callable[[Source, Conditions], Runtime]

# module and opener of each, imported on use: no runtime is needed to import the package
RUNTIMES: dict[str, tuple[str, str]] = {
    "torch": ("torch_runtime", "TorchRuntime"),
    "onnxruntime": ("onnx_runtime", "OnnxRuntime"),
    "openvino": ("openvino_runtime", "OpenVino"),
    "openvino_f32": ("openvino_runtime", "open_f32"),
    "tensorrt": ("tensorrt_runtime", "open_tensorrt"),
    "tensorrt_rtx": ("tensorrt_rtx_runtime", "open_tensorrt_rtx"),
}


def open_runtime(name: str, source: Source, conditions: Conditions) -> Runtime:
    """Load ``source`` in the runtime called ``name``.

    Raises UserError for an unknown name, RuntimeMissingError where this machine lacks the runtime.
    """
    if name not in RUNTIMES:
        raise UserError(f"benchmark.runtimes asks for {name!r}: there are {', '.join(RUNTIMES)}")
    module, opener = RUNTIMES[name]
    try:
        loaded = import_module(f"netwright.deployment.runtimes.{module}")
    except ModuleNotFoundError as error:
        raise RuntimeMissingError(f"the package {error.name} is not installed: pip install {error.name}") from error
    return cast(Opener, getattr(loaded, opener))(source, conditions)
