"""TensorRT for RTX: engines are built anywhere, run on the GPUs that it supports."""

from netwright.deployment.runtimes.protocol import Conditions, Source
from netwright.deployment.runtimes.tensorrt_engine import Flavour, TensorRt

TENSORRT_RTX = Flavour("tensorrt_rtx", "tensorrt_rtx", "tensorrt-rtx")


def open_tensorrt_rtx(source: Source, conditions: Conditions) -> TensorRt:
    """Load or build the engine. Raises RuntimeMissingError without package or GPU."""
    return TensorRt(TENSORRT_RTX, source, conditions)
