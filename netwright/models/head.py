"""A decoupled anchor-free head: one branch for classes, one for distances, a pair for every level."""

import math

import torch
from torch import Tensor, nn

from netwright.models.neck import conv_bn_relu

PRIOR = 0.01  # first score of every class: Lin et al., "Focal Loss for Dense Object Detection", 2017
FIRST_REACH = 1.5  # first distance to each side, in strides, so that early boxes have an area


class Head(nn.Module):
    """Feature maps of equal channels to class logits and distances at every grid cell."""

    def __init__(self, levels: int, channels: int, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.class_stem = nn.ModuleList(conv_bn_relu(channels, channels, 3) for _ in range(levels))
        self.reach_stem = nn.ModuleList(conv_bn_relu(channels, channels, 3) for _ in range(levels))
        self.class_logits = nn.ModuleList(nn.Conv2d(channels, classes, 1) for _ in range(levels))
        self.reach = nn.ModuleList(nn.Conv2d(channels, 4, 1) for _ in range(levels))
        for logits, reach in zip(self.class_logits, self.reach, strict=True):
            nn.init.normal_(logits.weight, std=0.01)
            nn.init.constant_(logits.bias, -math.log((1 - PRIOR) / PRIOR))
            nn.init.normal_(reach.weight, std=0.01)
            nn.init.constant_(reach.bias, math.log(FIRST_REACH))

    def forward(self, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Maps (B, channels, H_i, W_i) to logits (B, A, C) and positive distances (B, A, 4) in strides."""
        logits, reaches = [], []
        for level, features in enumerate(maps):
            logits.append(self.class_logits[level](self.class_stem[level](features)).flatten(2))
            reaches.append(self.reach[level](self.reach_stem[level](features)).flatten(2))
        distances = torch.exp(torch.cat(reaches, 2).float().clamp(max=6.0))
        return torch.cat(logits, 2).transpose(1, 2), distances.transpose(1, 2)
