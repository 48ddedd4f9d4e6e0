"""Every section of params.yaml as a frozen dataclass. Free of torch, so that a typo is found in no time.

The defaults live in conf/, not here: a key that the snapshot lacks is an error, as is one that it has too many.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from netwright.types import AugmentPolicy, NmsPolicy, Positive, Range, Share

Count = Annotated[int, Range(0)]
Amount = Annotated[float, Range(0)]
Seed = Annotated[int, Range(0, 2**63 - 1)]  # what torch takes


@dataclass(frozen=True, kw_only=True)
class SceneSettings:
    """The embedded digits: scenes per split, side in pixels, seed."""

    train: Positive
    val: Positive
    test: Positive
    size: Positive
    seed: Seed


@dataclass(frozen=True, kw_only=True)
class OnInvalid:
    """What is done about each thing that the checks may find (see netwright.data.checks.validate)."""

    not_finite: Literal["drop", "fail"]
    zero_area: Literal["drop", "fail"]
    inverted: Literal["drop", "fail"]
    outside: Literal["drop", "fail"]
    overhang: Literal["clip", "drop", "fail"]
    tiny: Literal["keep", "drop", "fail"]
    near_identical: Literal["drop", "keep", "fail"]
    unknown_class: Literal["drop", "fail"]
    crowd: Literal["drop", "keep", "fail"]
    difficult: Literal["keep", "drop", "fail"]
    missing_image: Literal["drop", "fail"]
    missing_label: Literal["drop", "keep", "fail"]  # keep: a picture without objects
    bad_label: Literal["fail", "drop"]
    unreadable: Literal["fail", "drop"]
    colour_mode: Literal["keep", "drop", "fail"]
    animated: Literal["drop", "keep", "fail"]  # keep: its first frame
    exif_rotation: Literal["keep", "drop", "fail"]  # keep: turned upright
    size_mismatch: Literal["keep", "drop", "fail"]
    duplicate_name: Literal["fail", "drop"]


@dataclass(frozen=True, kw_only=True)
class SplitShares:
    """Shares of the pictures, summing to 1."""

    train: Share
    val: Share
    test: Share


@dataclass(frozen=True, kw_only=True)
class SplitSettings:
    """How pictures are divided where the dataset brings no split files of its own."""

    group_by: str  # auto, none, folder, or a regular expression over the name: what it matches stays together
    shares: SplitShares
    seed: Seed


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """conf/dataset: what convert reads, and how it is checked and divided."""

    name: str
    source: str  # a path inside the project
    format: Literal["auto", "digits", "kitti", "coco", "voc", "yolo", "egohands"]
    class_mapping: dict[str, str | None]  # source class: class, null drops its boxes; empty keeps all classes
    on_invalid: OnInvalid
    tiny_pixels: Amount  # a box with a shorter side breaks the rule `tiny`
    leakage: Literal["warn", "fail"]  # the same or nearly the same picture in two splits
    split: SplitSettings
    scenes: SceneSettings


@dataclass(frozen=True, kw_only=True)
class Model:
    """conf/model: the network that pretrain-init builds."""

    backbone: str  # any timm name with features_only
    levels: list[int]  # strides of the feature maps that the neck joins, such as [8, 16, 32]
    neck_channels: Positive
    box_convs: Positive  # 3x3 convolutions of the head before objectness and boxes
    height: Positive  # of the network's input, pixels, a multiple of the largest stride
    width: Positive
    resize: Literal["letterbox", "stretch"]


@dataclass(frozen=True, kw_only=True)
class PretrainInit:
    """conf/pretrain_init: where the first weights come from."""

    weights: str  # a catalog name, "random", or the path of a local safetensors file
    seed: Seed


@dataclass(frozen=True, kw_only=True)
class Train:
    """conf/train: the recipe; prune's recovery and qat inherit all but epochs and learning rate."""

    epochs: Positive
    batch_size: Annotated[int, Range(1, 2**31 - 1)]
    learning_rate: Amount
    weight_decay: Amount
    warmup_epochs: Amount
    ema_decay: Share  # at 0 the moving average is the network itself
    clip_norm: Amount  # largest norm of the gradients; 0: whatever it is
    box_weight: Amount  # of the boxes' loss beside those of objectness and class
    iou_power: Annotated[float, Range(0.1, 10)]  # of IoU in the boxes' loss; above 1 (3) for tighter boxes
    precision: Literal["auto", "fp32", "bf16", "fp16"]  # auto: bf16 where the hardware computes it, else fp32
    threads: Annotated[int, Range(1, 4096)]
    seed: Seed
    patience: Count  # epochs without a better val mAP50-95 before stopping; 0: never
    validate_every: Positive  # epochs between looks at val; the last is always looked at
    decay_share: Share  # of all steps, at the end: the learning rate falls along a cosine
    plain_epochs: Count  # the last ones, of whole pictures: without mosaic, zoom and shift
    freeze: list[str]  # glob patterns over names of parameters that do not learn
    freeze_norms: bool  # every batch norm keeps its statistics
    class_weights: dict[str, Amount]  # what a class's objects count in the loss; 1 where it is not named
    auto_batch: bool  # halve the batch where memory does not suffice
    compiled: list[Literal["augment", "network", "loss"]]  # by torch.compile: slower to start, faster steps
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

    opset: Annotated[int, Range(13)]  # the first with a scale for each channel of a quantized tensor
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
class Champion:
    """conf/champion: which result pipelines.registry makes the champion. All accuracies are those on val.

    A limit of null is none. No stage reads this, so no change of it runs anything again.
    """

    prefer: Literal["accuracy", "latency", "size", "knee"]  # the best of it among those inside the limits
    max_latency_ms: float | None  # p50 of the deployed row
    max_size_bytes: int | None  # of the deployed export's file
    max_points_lost: float | None  # mAP50-95 against the baseline row, 1 point = 0.01
    require_parity: bool  # the deployed row agrees with its reference


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """conf/certificate: which accuracies a certificate names, and what its author must say beside them."""

    metrics: list[
        Literal[
            "map50_95",
            "map50",
            "map75",
            "map_small",
            "map_medium",
            "map_large",
            "ar1",
            "ar10",
            "ar100",
            "ar_small",
            "ar_medium",
            "ar_large",
            "voc2007",
            "voc2010",
            "tao_sample",
            "tao_integrate",
            "calibration_error",
        ]
    ]
    resamples: Annotated[int, Range(100)]  # of the pictures, for the intervals
    seed: Seed
    confidence: Annotated[float, Range(0.5, 0.999)]
    dataset_licence: str  # empty: no certificate is issued
    limitations: list[str]  # empty: no certificate is issued


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
    certificate: Certificate
    champion: Champion
