"""Choosing the range of every activation from pictures, with modelopt's calibrators."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor

from netwright.compression.fake_quant import BITS, HIGHEST, SMALLEST_AMAX, QuantizedDetector
from netwright.compression.modelopt_parts import HistogramCalibrator, MaxCalibrator
from netwright.errors import UserError

PERCENTILE = 99.99  # share of the magnitudes that the range covers, in per cent
CANDIDATES = 200  # ranges that "mse" tries, evenly up to the largest magnitude


class Calibrator(Protocol):
    """modelopt's protocol: see tensors, then name the range."""

    def collect(self, values: Tensor, /) -> None:
        """Take ``values`` into account."""

    def compute_amax(self) -> Tensor | None:
        """The range of what was collected."""


class PercentileCalibrator(HistogramCalibrator):  # type: ignore[misc]  # modelopt has no types
    """The magnitude below which PERCENTILE of all values lie."""

    def compute_amax(self) -> Tensor:
        """The range of what was collected."""
        return torch.as_tensor(super().compute_amax("percentile", percentile=PERCENTILE))


class SquaredErrorCalibrator(HistogramCalibrator):  # type: ignore[misc]
    """The range with the least squared rounding and clipping error over the histogram of magnitudes.

    Own arithmetic: modelopt 0.47's ``"mse"`` gives its smallest candidate whatever the histogram.
    """

    def compute_amax(self) -> Tensor:
        """The range of what was collected."""
        counts = self._calib_hist.double().cpu()
        edges = self._calib_bin_edges.double().cpu()[: len(counts) + 1]
        centres = (edges[:-1] + edges[1:]) / 2
        candidates: Tensor = edges[-1] * torch.arange(1, CANDIDATES + 1, dtype=torch.float64) / CANDIDATES
        scales = candidates.clamp(min=SMALLEST_AMAX)[:, None] / HIGHEST
        errors = ((centres / scales).round().clamp(max=HIGHEST) * scales - centres).square() @ counts
        return candidates[int(errors.argmin())]


METHODS: dict[str, Callable[[], Calibrator]] = {
    "max": lambda: MaxCalibrator(BITS, None),  # the largest magnitude seen
    "percentile": lambda: PercentileCalibrator(BITS, None),
    "mse": lambda: SquaredErrorCalibrator(BITS, None),
}


def calibrate(network: QuantizedDetector, batches: Iterable[Tensor], method: str) -> None:
    """Set ``amax`` of every activation quantizer from ``batches`` of pixels (B, 3, H, W), float 0..255.

    Statistics are taken from the unquantized network. Weights keep following their own maximum. Leaves the network
    in evaluation mode. Raises UserError for an unknown method or when there is no batch.
    """
    if method not in METHODS:
        raise UserError(f"qat.calibration asks for {method!r}: choose among {', '.join(METHODS)}")
    calibrators = {name: METHODS[method]() for name in network.activation_quantizers()}
    pictures = 0
    with _collecting(network.eval(), calibrators), torch.no_grad():
        for pixels in batches:
            network.predict_raw(pixels.to(network.points.device))
            pictures += len(pixels)
    if not pictures:
        raise UserError("calibration got no picture: set qat.calibration_images to at least 1")
    for name, quantizer in network.activation_quantizers().items():
        amax = torch.as_tensor(calibrators[name].compute_amax(), dtype=torch.float32)
        quantizer.reset_amax()
        quantizer.amax = amax.to(network.points.device).clamp(min=SMALLEST_AMAX).reshape(())


@contextmanager
def _collecting(network: QuantizedDetector, calibrators: dict[str, Calibrator]) -> Iterator[None]:
    """Inside, quantizers hand their input on unchanged, after the calibrators have seen it."""
    hooks = []
    for name, quantizer in network.quantizers().items():
        quantizer.disable_quant()
        if name in calibrators:
            observe = calibrators[name].collect
            hooks.append(quantizer.register_forward_pre_hook(lambda _, inputs, observe=observe: observe(inputs[0])))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for quantizer in network.quantizers().values():
            quantizer.enable_quant()
