"""A detector with fake quantizers: integers' rounding in floating point, for calibration, fine-tuning and export.

INT8, symmetric: activations per tensor, weights per output channel. The quantizers are modelopt's
``TensorQuantizer``; their arithmetic runs on PyTorch's own fake-quantize kernels, which are several times faster on
CPUs than modelopt's composition of elementary operations and clip the gradient the same way.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, fx, nn

from netwright.compression.modelopt_parts import (
    QuantizerAttributeConfig,
    QuantModuleRegistry,
    TensorQuantizer,
    register_quant_backend,
)
from netwright.compression.placement import insert_quantizers, quantization_sites
from netwright.compression.tracing import trace_raw
from netwright.errors import UserError
from netwright.models.detector import Detector, RawPredictions

BITS = 8
LOWEST, HIGHEST = -128, 127
SMALLEST_AMAX = 1e-6  # a dead channel still needs a scale
_BACKEND = "netwright_aten"
_ACTIVATIONS = "activation_ranges"


class QuantizedDetector(Detector):
    """A folded detector with a fake quantizer on every tensor that convolutions and sums read, and on every weight.

    Quantizers without an ``amax`` take it from the tensor at hand: so do weights until ``freeze_weight_ranges``.
    """

    def __init__(self, folded: Detector) -> None:
        nn.Module.__init__(self)  # the parts are taken over, not built anew
        graph = trace_raw(folded)
        self.architecture = folded.architecture
        for name, child in folded.named_children():
            self.add_module(name, child)
        for name, buffer in folded.named_buffers(recurse=False):
            self.register_buffer(name, buffer, persistent=False)
        modules = dict(folded.named_modules())
        layers = frozenset(name for name, module in modules.items() if isinstance(module, nn.Conv2d))
        sites = quantization_sites(graph, modules, layers)
        insert_quantizers(graph, sites, _ACTIVATIONS)
        quantizers = {site.quantizer: _quantizer(axis=None) for site in sites}
        self.add_module(_ACTIVATIONS, nn.ModuleDict(quantizers))
        for name in sorted(layers):
            _quantize_weight(name, self.get_submodule(name))
        self.graph = graph

    def predict_raw(self, pixels: Tensor) -> RawPredictions:
        """Predictions for pixels (B, 3, H, W), float 0..255, through the fake quantizers."""
        return RawPredictions(*fx.Interpreter(self, graph=self.graph).run(pixels))

    def activation_quantizers(self) -> dict[str, TensorQuantizer]:
        """Quantizers of activations, by module path."""
        return {name: module for name, module in _enabled(self) if name.startswith(f"{_ACTIVATIONS}.")}

    def weight_quantizers(self) -> dict[str, TensorQuantizer]:
        """Quantizers of weights, by module path."""
        return {name: module for name, module in _enabled(self) if not name.startswith(f"{_ACTIVATIONS}.")}

    def quantizers(self) -> dict[str, TensorQuantizer]:
        """All quantizers, by module path."""
        return dict(_enabled(self))

    def freeze_weight_ranges(self) -> None:
        """Set every weight quantizer's ``amax`` (outputs, 1, 1, 1) to the largest magnitude of each output channel."""
        for name, quantizer in self.weight_quantizers().items():
            layer = self.get_submodule(name.rpartition(".")[0])
            assert isinstance(layer, nn.Conv2d)
            quantizer.reset_amax()
            quantizer.amax = _amax_of(layer.weight.detach(), quantizer)


def fake_quantize(values: Tensor, quantizer: TensorQuantizer) -> Tensor:
    """``clamp(round(x / scale), -128, 127) * scale`` with ``scale = amax / 127``, rounding halves to even.

    The gradient is 1 inside the range and 0 outside (straight-through estimator).
    """
    amax = quantizer.amax if quantizer.amax is not None else _amax_of(values.detach(), quantizer)
    scale = amax.float() / HIGHEST
    if quantizer.axis is None:
        zero = torch.zeros((), dtype=torch.int32, device=values.device)
        return torch.fake_quantize_per_tensor_affine(values, scale.reshape(()), zero, LOWEST, HIGHEST)
    scale = scale.reshape(-1)
    zeros = torch.zeros(len(scale), dtype=torch.int32, device=values.device)
    return torch.fake_quantize_per_channel_affine(values, scale, zeros, quantizer.axis, LOWEST, HIGHEST)


def _amax_of(values: Tensor, quantizer: TensorQuantizer) -> Tensor:
    if quantizer.axis is None:
        return values.abs().amax().clamp(min=SMALLEST_AMAX)
    return values.abs().amax(dim=tuple(range(1, values.ndim)), keepdim=True).clamp(min=SMALLEST_AMAX)


def _quantizer(axis: int | None) -> TensorQuantizer:
    return TensorQuantizer(QuantizerAttributeConfig(num_bits=BITS, axis=axis, backend=_BACKEND))


def _quantize_weight(name: str, layer: nn.Module) -> None:
    """Turn a convolution into modelopt's, in place: fake quantizer on the weight, none on its input and output."""
    if type(layer) not in QuantModuleRegistry:
        raise UserError(f"{name} of model.backbone is a {type(layer).__name__}, which has no INT8 form: choose another")
    quantized = QuantModuleRegistry.convert(layer)
    quantized.weight_quantizer.set_from_attribute_config(
        QuantizerAttributeConfig(num_bits=BITS, axis=0, backend=_BACKEND)
    )
    quantized.input_quantizer.disable()
    quantized.output_quantizer.disable()


def _enabled(network: nn.Module) -> Iterator[tuple[str, TensorQuantizer]]:
    for name, module in network.named_modules():
        if isinstance(module, TensorQuantizer) and module.is_enabled:
            yield name, module


register_quant_backend(_BACKEND, fake_quantize)
