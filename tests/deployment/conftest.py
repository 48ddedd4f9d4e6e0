"""Tiny real detectors, plain and fake-quantized, and their ONNX files."""

from dataclasses import dataclass
from pathlib import Path

import onnx
import pytest
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from netwright.deployment.onnx_export import export_onnx, sample_pixels
from netwright.deployment.runtimes.protocol import Source
from netwright.models.build import build_network
from netwright.types import Architecture, InputSpec

torch.set_num_threads(1)
HEAD_OUTPUTS = ("head.class_logits", "head.objectness", "head.reach.")  # they stay in fp32


class FakeQuantize(nn.Module):
    """Symmetric INT8 with a fixed scale, which the exporter writes as a Q/DQ pair, as modelopt's quantizer does."""

    def __init__(self, amax: torch.Tensor, axis: int | None) -> None:
        super().__init__()
        self.register_buffer("scale", amax / 127)
        self.scale: torch.Tensor
        self.axis = axis

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        if self.axis is None:
            return torch.fake_quantize_per_tensor_affine(values, float(self.scale), 0, -128, 127)
        zeros = torch.zeros_like(self.scale, dtype=torch.int32)
        scale = self.scale if self.scale.dtype == torch.float32 else self.scale.float()
        return torch.fake_quantize_per_channel_affine(values, scale, zeros, self.axis, -128, 127)


class QuantizedConv(nn.Module):
    """A convolution whose input and weight pass through fake quantizers."""

    def __init__(self, conv: nn.Conv2d, amax: torch.Tensor) -> None:
        super().__init__()
        self.conv = conv
        self.input_quantizer = FakeQuantize(amax, None)
        self.weight_quantizer = FakeQuantize(conv.weight.detach().abs().amax(dim=(1, 2, 3)).clamp(min=1e-6), 0)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        conv = self.conv
        weight = self.weight_quantizer(conv.weight)
        taken = self.input_quantizer(values)
        return nn.functional.conv2d(taken, weight, conv.bias, conv.stride, conv.padding, conv.dilation, conv.groups)


@dataclass(frozen=True)
class Tiny:
    """A network with its exported file."""

    architecture: Architecture
    network: nn.Module
    model: onnx.ModelProto
    path: Path

    def source(self) -> Source:
        return Source(onnx=self.path, network=lambda: self.network, engines=self.path.parent / "engines")


def tiny_architecture(backbone: str = "test_efficientnet", side: int = 64) -> Architecture:
    return Architecture(
        builder="detector",
        backbone=backbone,
        levels=(8, 16, 32),
        neck_channels=16,
        classes=("disc", "ring"),
        input=InputSpec(height=side, width=side),
    )


def tiny_network(architecture: Architecture) -> nn.Module:
    """Random weights; batch norms have seen pictures, and the head's outputs differ from cell to cell."""
    torch.manual_seed(0)
    network = build_network(architecture)
    for layer in (*network.head.class_logits, *network.head.objectness):
        nn.init.normal_(layer.weight, std=0.1)
        nn.init.zeros_(layer.bias)
    pixels = torch.from_numpy(sample_pixels(architecture.input.height, architecture.input.width, count=4))
    with torch.no_grad():
        for _ in range(20):
            network.train()(pixels)
    return network.eval()


def fold_batch_norms(network: nn.Module) -> None:
    """Merge each batch norm into the convolution before it (in definition order), keeping timm's fused activation."""
    last: tuple[str, nn.Conv2d] | None = None
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.Conv2d):
            last = name, module
        elif isinstance(module, nn.BatchNorm2d) and last is not None:
            network.set_submodule(last[0], fuse_conv_bn_eval(last[1], module))
            network.set_submodule(name, getattr(module, "act", nn.Identity()))


def quantize(network: nn.Module, pixels: torch.Tensor) -> None:
    """Fake-quantize every convolution but the head's last, with ranges seen on ``pixels``."""
    fold_batch_norms(network)
    seen: dict[str, torch.Tensor] = {}
    names = [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d) and not name.startswith(HEAD_OUTPUTS)
    ]
    hooks = [
        network.get_submodule(name).register_forward_pre_hook(
            lambda _, inputs, name=name: seen.__setitem__(name, inputs[0].abs().max())
        )
        for name in names
    ]
    with torch.no_grad():
        network.eval()(pixels)
    for hook in hooks:
        hook.remove()
    for name in names:
        conv = network.get_submodule(name)
        assert isinstance(conv, nn.Conv2d)
        network.set_submodule(name, QuantizedConv(conv, seen[name]))


def _exported(folder: Path, architecture: Architecture, network: nn.Module, name: str) -> Tiny:
    model = export_onnx(network, architecture, opset=17, simplify=True).model
    onnx.save(model, folder / name)
    return Tiny(architecture, network, model, folder / name)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """A plain network in fp32."""
    architecture = tiny_architecture()
    return _exported(tmp_path_factory.mktemp("fp32"), architecture, tiny_network(architecture), "tiny_fp32.onnx")


@pytest.fixture(scope="session")
def tiny_int8(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """A fake-quantized network with SAME padding, as exported: not yet rewritten."""
    architecture = tiny_architecture("tf_efficientnet_lite0")
    network = tiny_network(architecture)
    quantize(network, torch.from_numpy(sample_pixels(64, 64, count=4, seed=3)))
    return _exported(tmp_path_factory.mktemp("int8"), architecture, network, "tiny_int8.onnx")
