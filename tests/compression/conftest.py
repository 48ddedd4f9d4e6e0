"""Tiny real detectors, with batch norm statistics that are not the trivial first ones."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from netwright.models.build import build_network
from netwright.models.detector import Detector
from netwright.types import Architecture, InputSpec

BACKBONES = ("tf_efficientnet_lite0", "resnet18", "mobilenetv4_conv_small")
_made: dict[str, Detector] = {}


def make_detector(backbone: str) -> Detector:
    torch.manual_seed(0)
    architecture = Architecture(
        builder="detector",
        backbone=backbone,
        levels=(8, 16, 32),
        neck_channels=16,
        box_convs=2 if backbone == "resnet18" else 1,
        classes=("cat", "dog"),
        input=InputSpec(height=64, width=96),
    )
    network = build_network(architecture)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network.eval()


@pytest.fixture
def detector() -> Callable[[str], Detector]:
    """A detector by backbone name; tests must not change it."""

    def get(backbone: str) -> Detector:
        if backbone not in _made:
            _made[backbone] = make_detector(backbone)
        return _made[backbone]

    return get


@pytest.fixture
def pixels() -> torch.Tensor:
    return torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1)) * 255
