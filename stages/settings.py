"""Every section of params.yaml as a frozen dataclass. Free of torch, so that a typo is found in no time.

The defaults live in conf/, not here: a key that the snapshot lacks is an error, as is one that it has too many.
"""

from dataclasses import dataclass

from netwright.types import AugmentPolicy, NmsPolicy


@dataclass(frozen=True, kw_only=True)
class SceneSettings:
    """The embedded digits: scenes per split, side in pixels, seed."""

    train: int
    val: int
    test: int
    size: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """conf/dataset: what convert reads."""

    name: str
    source: str  # a path inside the project
    format: str  # auto | digits | voc
    shards_per_split: int
    scenes: SceneSettings


@dataclass(frozen=True, kw_only=True)
class Model:
    """conf/model: the network that pretrain-init builds."""

    backbone: str  # any timm name with features_only
    levels: list[int]  # strides of the feature maps that the neck joins, such as [8, 16, 32]
    neck_channels: int
    height: int  # of the network's input, pixels, a multiple of the largest stride
    width: int
    resize: str  # letterbox | stretch


@dataclass(frozen=True, kw_only=True)
class PretrainInit:
    """conf/pretrain_init: where the first weights come from."""

    weights: str  # a catalog name, "random", or the path of a local safetensors file
    seed: int


@dataclass(frozen=True, kw_only=True)
class Train:
    """conf/train: the recipe; prune's recovery and qat inherit all but epochs and learning rate."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    warmup_epochs: float
    ema_decay: float  # 0 switches the moving average off
    clip_norm: float
    precision: str  # fp32 | bf16
    threads: int
    seed: int
    patience: int  # epochs without a better val mAP50-95 before stopping; 0: never
    validate_every: int  # epochs between looks at val; the last is always looked at
    augment: AugmentPolicy


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """Fine-tuning after a change of the network."""

    epochs: int
    learning_rate: float


@dataclass(frozen=True, kw_only=True)
class Prune:
    """conf/prune: TAO's threshold semantics."""

    threshold: float  # a channel stays when its normalised L2 norm is above this
    granularity: int  # kept channels are rounded up to a multiple of this
    min_filters: int
    exclude: list[str]  # glob patterns over layer names that keep every channel
    recover: Recovery


@dataclass(frozen=True, kw_only=True)
class Qat:
    """conf/qat: calibration, then fine-tuning with fake quantizers."""

    calibration_images: int
    calibration: str  # max | percentile | entropy | mse: how activation ranges are chosen
    epochs: int  # 0: calibration alone (PTQ)
    learning_rate: float


@dataclass(frozen=True, kw_only=True)
class Export:
    """conf/export: the ONNX files."""

    opset: int
    simplify: bool


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """conf/benchmark: what is measured, on which runtimes, and how closely runtimes must agree."""

    runtimes: list[str]
    threads: int
    batch: int
    warmup: int
    rounds: int
    deployed: str  # "<export>@<runtime>": the row that headlines show
    baseline: str
    parity_images: int
    parity_atol: float
    parity_rtol: float
    gallery_images: int


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
