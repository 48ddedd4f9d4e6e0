"""Every section of params.yaml as a frozen dataclass. Free of torch, so that a typo is found in no time.

The defaults live in conf/, not here: a key that the snapshot lacks is an error, as is one that it has too many.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from netwright.types import AugmentPolicy, NmsPolicy, Positive, Range, Share

Count = Annotated[int, Range(0)]
Amount = Annotated[float, Range(0)]


@dataclass(frozen=True, kw_only=True)
class SceneSettings:
    """The embedded digits: scenes per split, side in pixels, seed."""

    train: Positive
    val: Positive
    test: Positive
    size: Positive
    seed: Count


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """conf/dataset: what convert reads."""

    name: str
    source: str  # a path inside the project
    format: Literal["auto", "digits", "voc"]
    shards_per_split: Positive
    scenes: SceneSettings


@dataclass(frozen=True, kw_only=True)
class Model:
    """conf/model: the network that pretrain-init builds."""

    backbone: str  # any timm name with features_only
    levels: list[int]  # strides of the feature maps that the neck joins, such as [8, 16, 32]
    neck_channels: Positive
    height: Positive  # of the network's input, pixels, a multiple of the largest stride
    width: Positive
    resize: Literal["letterbox", "stretch"]


@dataclass(frozen=True, kw_only=True)
class PretrainInit:
    """conf/pretrain_init: where the first weights come from."""

    weights: str  # a catalog name, "random", or the path of a local safetensors file
    seed: Count


@dataclass(frozen=True, kw_only=True)
class Train:
    """conf/train: the recipe; prune's recovery and qat inherit all but epochs and learning rate."""

    epochs: Positive
    batch_size: Positive
    learning_rate: Amount
    weight_decay: Amount
    warmup_epochs: Amount
    ema_decay: Share  # 0 switches the moving average off
    clip_norm: Amount  # largest norm of the gradients; 0: whatever it is
    precision: Literal["fp32", "bf16"]
    threads: Positive
    seed: Count
    patience: Count  # epochs without a better val mAP50-95 before stopping; 0: never
    validate_every: Positive  # epochs between looks at val; the last is always looked at
    augment: AugmentPolicy


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """Fine-tuning after a change of the network."""

    epochs: Count
    learning_rate: Amount


@dataclass(frozen=True, kw_only=True)
class Prune:
    """conf/prune: TAO's threshold semantics."""

    criterion: Literal["l2", "folded_l2"]  # kernels as they are (TAO's), or with batch norm merged in
    threshold: Share  # a channel stays when its normalised L2 norm is above this
    granularity: Positive  # kept channels are rounded up to a multiple of this
    min_filters: Positive
    exclude: list[str]  # glob patterns over layer names that keep every channel
    recover: Recovery


@dataclass(frozen=True, kw_only=True)
class Qat:
    """conf/qat: calibration, then fine-tuning with fake quantizers."""

    calibration_images: Positive
    calibration: Literal["max", "percentile", "mse"]  # how activation ranges are chosen
    epochs: Count  # 0: calibration alone (PTQ)
    learning_rate: Amount


@dataclass(frozen=True, kw_only=True)
class Export:
    """conf/export: the ONNX files."""

    opset: Positive
    simplify: bool


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """conf/benchmark: what is measured, on which runtimes, and how closely runtimes must agree."""

    runtimes: list[str]
    threads: Positive
    batch: Positive
    warmup: Count
    rounds: Positive
    deployed: str  # "<export>@<runtime>": the row that headlines show
    baseline: str
    parity_images: Positive
    parity_atol: Amount
    parity_rtol: Amount
    gallery_images: Count


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The whole snapshot. A stage gets it with every section that it does not declare masked."""

    dataset: Dataset
    model: Model
    pretrain_init: PretrainInit
    train: Train
    nms: NmsPolicy
    prune: Prune
    qat: Qat
    export: Export
    benchmark: Benchmark
