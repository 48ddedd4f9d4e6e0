"""Frozen value objects that cross borders. Pure Python: importing this module costs nothing."""

import math
from dataclasses import dataclass, field
from typing import Annotated, Literal

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Range:
    """Inclusive bounds of a number, as an annotation: checked where a value comes in from outside."""

    low: float
    high: float = math.inf

    def __str__(self) -> str:
        return f"at least {self.low}" if self.high == math.inf else f"from {self.low} to {self.high}"


Positive = Annotated[int, Range(1)]
Share = Annotated[float, Range(0, 1)]
Zoom = Annotated[float, Range(0.1, 10)]


@dataclass(frozen=True, kw_only=True)
class InputSpec:
    """How a picture becomes the network's input; the single source for training, graphs and runtimes.

    The network takes raw pixel values (0..255) as ``dtype`` in ``layout`` order, resized to ``height`` x ``width``;
    ``(pixel * scale - mean) / std`` is the graph's own first operation.
    """

    height: int
    width: int
    colour: Literal["RGB", "BGR"] = "RGB"
    resize: Literal["letterbox", "stretch"] = "letterbox"
    pad_side: Literal["right_bottom", "both"] = "right_bottom"
    pad_value: int = 114
    dtype: Literal["float32"] = "float32"
    layout: Literal["NCHW"] = "NCHW"
    scale: float = 1 / 255
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)


@dataclass(frozen=True, kw_only=True)
class LayerWidth:
    """Channels of one convolution, linear or normalisation layer, as physically present in the network."""

    inputs: int
    outputs: int
    groups: int = 1


@dataclass(frozen=True, kw_only=True)
class Quantizer:
    """One fake quantizer: symmetric, ``amax`` per tensor (one value) or per output channel (one value each).

    The scale is ``amax / (2 ** (bits - 1) - 1)``.
    """

    bits: int
    axis: int | None
    amax: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Everything needed, beside the tensors, to rebuild a network: written as ``architecture.json``.

    ``widths`` names every layer that has channels (empty: as the builder makes them). ``folded`` says that batch
    norms are merged into their convolutions. ``quantizers`` maps a fake quantizer's module path to its setting.
    ``box_convs``: 3x3 convolutions before the head's boxes.
    """

    builder: str
    backbone: str
    levels: tuple[int, ...]
    neck_channels: int
    classes: tuple[str, ...]
    input: InputSpec
    widths: dict[str, LayerWidth] = field(default_factory=dict)
    folded: bool = False
    quantizers: dict[str, Quantizer] = field(default_factory=dict)
    box_convs: int = 1


@dataclass(frozen=True, kw_only=True)
class AugmentPolicy:
    """Random changes of training pictures.

    ``flip``, ``flip_vertical``, ``turn`` (a quarter turn) and ``mosaic`` (three others set beside it) are
    probabilities for a picture. ``scale`` is the smallest and largest zoom; ``translate`` the largest shift, as a share
    of the picture's side. A box that is cut by them keeps its label where at least ``visible`` of its area stays. The
    colours are multiplied by 1 plus or minus at most their value.
    """

    flip: Share = 0.5
    flip_vertical: Share = 0.0
    turn: Share = 0.0
    scale: tuple[Zoom, Zoom] = (0.7, 1.4)
    translate: Share = 0.1
    visible: Share = 0.35
    brightness: Share = 0.2
    contrast: Share = 0.2
    saturation: Share = 0.2
    mosaic: Share = 0.0


@dataclass(frozen=True, kw_only=True)
class NmsPolicy:
    """Score threshold, IoU threshold (both 0..1) of per-class NMS, and how many detections an image may keep."""

    score_threshold: Share = 0.001
    iou_threshold: Share = 0.6
    max_detections: Positive = 100
