"""TensorRT, where its package and an NVIDIA GPU are present."""

from netwright.deployment.runtimes.protocol import Conditions, Source
from netwright.deployment.runtimes.tensorrt_engine import Flavour, TensorRt

TENSORRT = Flavour("tensorrt", "tensorrt", "tensorrt")


def open_tensorrt(source: Source, conditions: Conditions) -> TensorRt:
    """Load or build the engine. Raises RuntimeMissingError without package or GPU."""
    return TensorRt(TENSORRT, source, conditions)
