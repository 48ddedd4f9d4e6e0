"""A light path-aggregation neck: top-down then bottom-up, one 3x3 convolution at each join.

Source: Liu et al., "Path Aggregation Network for Instance Segmentation", 2018, with sums in place of concats,
which keep the network small and let every branch of a sum share one set of pruned channels.
"""

from torch import Tensor, nn
from torch.nn import functional


def conv_bn_relu(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution without bias, batch norm, ReLU; the size is kept at stride 1 and halved at stride 2."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class PathAggregation(nn.Module):
    """Feature maps of several channel counts, finest first, to as many maps of ``channels`` each."""

    def __init__(self, inputs: tuple[int, ...], channels: int) -> None:
        super().__init__()
        joins = len(inputs) - 1
        self.lateral = nn.ModuleList(conv_bn_relu(count, channels, 1) for count in inputs)
        self.down = nn.ModuleList(conv_bn_relu(channels, channels, 3) for _ in range(joins))
        self.reduce = nn.ModuleList(conv_bn_relu(channels, channels, 3, stride=2) for _ in range(joins))
        self.up = nn.ModuleList(conv_bn_relu(channels, channels, 3) for _ in range(joins))

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Maps (B, C_i, H_i, W_i), each half the size of the one before, to maps (B, channels, H_i, W_i)."""
        maps = [lateral(feature) for lateral, feature in zip(self.lateral, features, strict=True)]
        for level in reversed(range(len(maps) - 1)):
            coarse = functional.interpolate(maps[level + 1], scale_factor=2.0, mode="nearest")
            maps[level] = self.down[level](maps[level] + coarse)
        for level in range(len(maps) - 1):
            maps[level + 1] = self.up[level](maps[level + 1] + self.reduce[level](maps[level]))
        return maps
