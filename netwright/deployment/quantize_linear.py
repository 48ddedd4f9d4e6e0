"""ONNX's QuantizeLinear on arrays."""

import numpy as np
from numpy.typing import NDArray


def quantize_linear(
    values: NDArray[np.generic], scale: NDArray[np.generic], zero: NDArray[np.generic], axis: int
) -> NDArray[np.generic]:
    """ONNX's QuantizeLinear: ``saturate(round_half_even(values / scale) + zero)`` in the type of ``zero``."""
    if scale.ndim == 1 and scale.size > 1:
        shape = [1] * values.ndim
        shape[axis] = -1
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    limits = np.iinfo(np.dtype(zero.dtype).name)
    steps = np.rint(values.astype(np.float32) / scale.astype(np.float32))
    integers: NDArray[np.generic] = np.clip(steps + zero.astype(np.float32), limits.min, limits.max).astype(zero.dtype)
    return integers
