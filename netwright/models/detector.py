"""The detector as a plain module: normalisation, timm backbone, feature pyramid, anchor-free decoupled head, decode.

Shapes: B pictures, A anchor points over all levels, C classes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from netwright.models.backbone import build_backbone
from netwright.models.geometry import anchor_points, boxes_from_distances
from netwright.models.head import Head
from netwright.models.neck import PathAggregation
from netwright.types import Architecture, InputSpec


@dataclass(frozen=True)
class RawPredictions:
    """What the losses need.

    ``logits`` (B, A, C) of the classes, ``objectness`` logits (B, A, 1), ``distances`` (B, A, 4) to the box's sides,
    positive, in units of the stride.
    """

    logits: Tensor
    objectness: Tensor
    distances: Tensor


class Normalise(nn.Module):
    """``(pixel * scale - mean) / std`` per channel, as one multiplication and one addition."""

    def __init__(self, spec: InputSpec) -> None:
        super().__init__()
        std, mean = torch.tensor(spec.std), torch.tensor(spec.mean)
        self.register_buffer("gain", (spec.scale / std).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("bias", (-mean / std).reshape(1, 3, 1, 1), persistent=False)
        self.gain: Tensor
        self.bias: Tensor

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels (B, 3, H, W) of 0..255 to normalised values."""
        return pixels * self.gain + self.bias


class Detector(nn.Module):
    """Pictures in, boxes in input pixels and class scores out; no non-maximum suppression inside."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        spec = architecture.input
        self.architecture = architecture
        self.normalise = Normalise(spec)
        self.backbone = build_backbone(architecture.backbone, architecture.levels, spec)
        self.neck = PathAggregation(self.backbone.channels, architecture.neck_channels)
        channels, classes = architecture.neck_channels, len(architecture.classes)
        self.head = Head(len(architecture.levels), channels, classes, architecture.box_convs)
        points, strides = anchor_points(spec.height, spec.width, architecture.levels)
        self.register_buffer("points", points, persistent=False)
        self.register_buffer("strides", strides, persistent=False)
        self.points: Tensor
        self.strides: Tensor

    def predict_raw(self, pixels: Tensor) -> RawPredictions:
        """Predictions for pixels (B, 3, H, W), float 0..255, in fp32 whatever the layers compute in."""
        features = self.backbone(self.normalise(pixels))
        logits, objectness, distances = self.head(self.neck(features))
        return RawPredictions(logits.float(), objectness.float(), distances.float())

    def decode(self, raw: RawPredictions) -> tuple[Tensor, Tensor]:
        """Boxes (B, A, 4) xyxy in input pixels and scores (B, A, C) of 0..1: objectness times class probability."""
        boxes = boxes_from_distances(raw.distances, self.points, self.strides)
        return boxes, torch.sigmoid(raw.objectness) * torch.softmax(raw.logits, -1)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """``decode(predict_raw(pixels))``: what is exported."""
        return self.decode(self.predict_raw(pixels))
