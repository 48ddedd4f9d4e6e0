"""Parameters and multiply-accumulates against counts by hand."""

import torch
from torch import nn

from netwright.models.build import build_network
from netwright.models.cost import cost_of, macs_of, parameters_of
from netwright.types import Architecture, InputSpec


class Small(nn.Module):
    """What ``macs_of`` asks of a network, and three layers whose cost fits on the back of an envelope."""

    def __init__(self):
        super().__init__()
        spec = InputSpec(height=8, width=12)
        self.architecture = Architecture(
            builder="detector", backbone="", levels=(), neck_channels=0, classes=(), input=spec
        )
        self.points = torch.zeros(1)
        self.full = nn.Conv2d(3, 4, 3, stride=2, padding=1, bias=True)
        self.norm = nn.BatchNorm2d(4)
        self.depthwise = nn.Conv2d(4, 4, (1, 3), padding=(0, 1), groups=4, bias=False)
        self.linear = nn.Linear(6, 5)

    def forward(self, pixels):
        return self.linear(self.depthwise(self.norm(self.full(pixels))))


def test_counts_by_hand():
    network = Small()
    # 4 x 6 places: 4 outputs of 3 x 3 x 3; 4 outputs of 1 x 3 x 1; then 5 outputs of 6 in each of 4 x 4 rows
    assert macs_of(network) == 24 * 4 * 27 + 24 * 4 * 3 + 16 * 5 * 6
    assert parameters_of(network) == (108 + 4) + 8 + 12 + (30 + 5)


def test_counting_leaves_the_network_as_it_was():
    network = Small().train()
    network.full.eval()
    before = network.norm.running_mean.clone()
    macs_of(network)
    assert torch.equal(network.norm.running_mean, before)
    assert network.training
    assert network.norm.training
    assert not network.full.training
    assert not network.full._forward_hooks


def test_resnet18_backbone_matches_the_published_count():
    architecture = Architecture(
        builder="detector",
        backbone="resnet18",
        levels=(32,),
        neck_channels=16,
        classes=("a",),
        input=InputSpec(height=224, width=224),
    )
    network = build_network(architecture)
    own = 7 * 7 * 16 * 512 + 2 * 7 * 7 * 16 * 16 * 9  # one lateral and two stems
    own += 7 * 7 * 16 * sum(layer.out_channels for layer in network.head.modules() if _is_output(layer))
    # He et al. 2015: 1.8 G; exactly 1,814,073,344 of which the classifier's 512 x 1000 are not here
    assert cost_of(network).macs == 1_814_073_344 - 512 * 1000 + own


def _is_output(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1)


def test_layers_behind_the_last_level_are_not_there():
    def cost(levels):
        architecture = Architecture(
            builder="detector",
            backbone="mobilenetv4_conv_small",
            levels=levels,
            neck_channels=16,
            classes=("a",),
            input=InputSpec(height=64, width=64),
        )
        return build_network(architecture)

    short, whole = cost((8, 16)), cost((8, 16, 32))
    dead = [
        name
        for name, module in whole.backbone.named_modules()
        if name.startswith("body.blocks.3.") and list(module.parameters(recurse=False))
    ]
    assert dead
    assert not [name for name, _ in short.backbone.named_parameters() if name.startswith("body.blocks.3.")]
    assert parameters_of(short) < parameters_of(whole) / 2
