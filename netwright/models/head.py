"""A decoupled anchor-free head: one branch for classes, one for objectness and distances, a pair for every level.

Source: Ge et al., "YOLOX: Exceeding YOLO Series in 2021". Objectness, learnt at every cell, is apart from the class,
learnt where there is an object alone: on small data that takes a fraction of the steps of one score for both.
"""

import math

import torch
from torch import Tensor, nn

from netwright.models.neck import conv_bn_relu

PRIOR = 0.01  # first objectness of every cell: Lin et al., "Focal Loss for Dense Object Detection", 2017
FIRST_LOG = math.log(1.5)  # first distance to each side: 1.5 strides, so that early boxes have an area


class Head(nn.Module):
    """Feature maps of equal channels to class logits and distances at every grid cell.

    ``box_convs`` convolutions precede objectness and distances, one precedes the classes.
    """

    def __init__(self, levels: int, channels: int, classes: int, box_convs: int = 1) -> None:
        super().__init__()
        self.class_stem = nn.ModuleList(_stem(channels, 1) for _ in range(levels))
        self.reach_stem = nn.ModuleList(_stem(channels, box_convs) for _ in range(levels))
        self.class_logits = nn.ModuleList(nn.Conv2d(channels, classes, 1) for _ in range(levels))
        self.objectness = nn.ModuleList(nn.Conv2d(channels, 1, 1) for _ in range(levels))
        self.reach = nn.ModuleList(nn.Conv2d(channels, 4, 1) for _ in range(levels))
        _start(self.class_logits, 0.0)
        _start(self.objectness, math.log(PRIOR / (1 - PRIOR)))
        _start(self.reach, FIRST_LOG)

    def forward(self, maps: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Maps (B, channels, H_i, W_i) to class logits (B, A, C), objectness logits (B, A, 1) and distances.

        Distances (B, A, 4) are positive, in units of the stride, in fp32 whatever the layers compute in.
        """
        logits, objectness, reaches = [], [], []
        for level, features in enumerate(maps):
            position = self.reach_stem[level](features)
            logits.append(self.class_logits[level](self.class_stem[level](features)).flatten(2))
            objectness.append(self.objectness[level](position).flatten(2))
            reaches.append(self.reach[level](position).flatten(2))
        distances = torch.exp(torch.cat(reaches, 2).float().clamp(max=6.0))
        return _cells(logits), _cells(objectness), distances.transpose(1, 2)


def _stem(channels: int, convs: int) -> nn.Sequential:
    return nn.Sequential(*(layer for _ in range(convs) for layer in conv_bn_relu(channels, channels, 3)))


def _cells(levels: list[Tensor]) -> Tensor:
    return torch.cat(levels, 2).transpose(1, 2)


def _start(layers: nn.ModuleList, bias: float) -> None:
    """Small weights, so that at first every cell says what ``bias`` says."""
    for layer in layers:
        assert isinstance(layer, nn.Conv2d)
        assert layer.bias is not None
        nn.init.normal_(layer.weight, std=0.01)
        nn.init.constant_(layer.bias, bias)
