"""How to train, as one frozen value; and what an epoch came to."""

from dataclasses import dataclass
from typing import Literal

from netwright.training.precision import Arithmetic, Precision
from netwright.types import AugmentPolicy

CompiledPart = Literal["augment", "network", "loss"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One training run.

    ``epochs`` >= 0; ``learning_rate`` is the peak, reached after ``warmup_epochs`` and held until the final
    ``decay_share`` of all steps (see optim); ``ema_decay`` 0..1, at 0 the moving average is the network itself, up to
    rounding; gradients are cut to a norm of ``clip_norm``, 0 leaves them; ``box_weight`` multiplies the loss of boxes,
    ``iou_power`` shapes it (see losses); ``patience`` epochs without a better val mAP50-95 end the run when val is next
    scored, 0 never does; val is scored every ``validate_every`` epochs and at the last one. ``freeze`` are glob
    patterns over parameter names, ``freeze_norms`` holds the statistics of every batch norm. The last ``plain_epochs``
    see whole pictures, without mosaic, zoom and shift. ``class_weights`` multiply what a class's objects count in the
    loss (1 where a class is not named). ``auto_batch`` halves the batch where memory does not suffice, and the learning
    rate with its square root.
    ``compiled`` names the parts of a step that torch.compile gets.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    warmup_epochs: float
    ema_decay: float
    clip_norm: float
    box_weight: float
    iou_power: float
    precision: Precision
    threads: int
    seed: int
    patience: int
    validate_every: int
    decay_share: float
    plain_epochs: int
    freeze: tuple[str, ...]
    freeze_norms: bool
    class_weights: dict[str, float]
    auto_batch: bool
    compiled: tuple[CompiledPart, ...]
    augment: AugmentPolicy


@dataclass(frozen=True, kw_only=True)
class EpochMetrics:
    """One line of the curves. Losses are means over the epoch; accuracies are None where val was not scored."""

    epoch: int
    loss: float
    loss_object: float
    loss_class: float
    loss_box: float
    learning_rate: float
    seconds: float
    map50_95: float | None = None
    map50: float | None = None


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """The curves, and the epoch whose weights the network now holds (0: the weights that it started with).

    ``precision`` and ``batch_size`` are what was really used.
    """

    history: tuple[EpochMetrics, ...]
    best_epoch: int
    precision: Arithmetic
    batch_size: int
