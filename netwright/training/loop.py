"""The training loop: every stage that trains calls ``fit``."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from netwright.data.pictures import PictureSet
from netwright.errors import UserError
from netwright.evaluation.coco import Accuracy
from netwright.models.assign import Truth
from netwright.models.detector import Detector
from netwright.models.losses import DetectionLoss, detection_loss
from netwright.training.batches import training_batches
from netwright.training.ema import MovingAverage
from netwright.training.optim import build_optimizer, build_schedule
from netwright.training.recipe import EpochMetrics, FitResult, Recipe

Score = Callable[[nn.Module], Accuracy]
OnEpoch = Callable[[EpochMetrics], None]


def fit(
    network: Detector,
    pictures: PictureSet,
    *,
    recipe: Recipe,
    device: str,
    score: Score,
    on_epoch: OnEpoch,
    start: Accuracy | None = None,
) -> FitResult:
    """Train ``network`` in place; it ends holding the averaged weights of the epoch with the best val mAP50-95.

    ``start`` is the accuracy that the network comes with: its weights are kept unless an epoch beats it.
    Raises UserError when the loss is no longer finite, naming the step.
    """
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(recipe.threads)
    network.to(torch.device(device)).to(memory_format=torch.channels_last)
    average = MovingAverage(network, recipe.ema_decay)
    best, best_epoch, best_tensors = (start.map50_95 if start else -1.0), 0, average.copy()
    history: list[EpochMetrics] = []
    for metrics in _epochs(network, pictures, average, recipe, device):
        line = metrics
        if _is_scored(metrics.epoch, recipe):
            trained, tensors = _tensors(network), average.copy()
            network.load_state_dict(tensors)
            accuracy = score(network)
            network.load_state_dict(trained)
            line = replace(metrics, map50_95=accuracy.map50_95, map50=accuracy.map50)
            if accuracy.map50_95 > best:
                best, best_epoch, best_tensors = accuracy.map50_95, metrics.epoch, tensors
        history.append(line)
        on_epoch(line)
        if recipe.patience and line.map50_95 is not None and metrics.epoch - best_epoch >= recipe.patience:
            break
    network.load_state_dict(best_tensors)
    network.eval()
    return FitResult(history=tuple(history), best_epoch=best_epoch)


def _is_scored(epoch: int, recipe: Recipe) -> bool:
    return epoch % recipe.validate_every == 0 or epoch == recipe.epochs


def _tensors(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def _epochs(
    network: Detector, pictures: PictureSet, average: MovingAverage, recipe: Recipe, device: str
) -> Iterator[EpochMetrics]:
    """Train an epoch at a time; what is yielded has no accuracy yet."""
    generator = torch.Generator().manual_seed(recipe.seed)
    steps = math.ceil(len(pictures) / recipe.batch_size)
    optimizer = build_optimizer(network, learning_rate=recipe.learning_rate, weight_decay=recipe.weight_decay)
    warmup = min(round(steps * recipe.warmup_epochs), steps * recipe.epochs // 4)  # a short run must have a decay too
    schedule = build_schedule(optimizer, steps=steps * recipe.epochs, warmup_steps=warmup)
    for epoch in range(1, recipe.epochs + 1):
        began, rate = time.perf_counter(), float(schedule.get_last_lr()[0])
        network.train()
        sums = torch.zeros(4)
        batches = training_batches(
            pictures, batch_size=recipe.batch_size, policy=recipe.augment, generator=generator, device=device
        )
        for number, (pixels, truth) in enumerate(batches, start=1):
            loss = _loss(network, pixels, truth, recipe)
            if not torch.isfinite(loss.total):
                raise UserError(
                    f"the loss became {loss.total.item()} at step {number} of epoch {epoch}: "
                    f"lower the learning rate (now {recipe.learning_rate}) or set precision to fp32"
                )
            _step(network, loss, optimizer, recipe)
            schedule.step()
            average.update(network)
            sums += torch.stack((loss.total.detach(), loss.objects, loss.classes, loss.boxes)).cpu()
        total, objects, classes, boxes = (sums / steps).tolist()
        yield EpochMetrics(
            epoch=epoch,
            loss=total,
            loss_object=objects,
            loss_class=classes,
            loss_box=boxes,
            learning_rate=rate,
            seconds=time.perf_counter() - began,
        )


def _loss(network: Detector, pixels: Tensor, truth: Truth, recipe: Recipe) -> DetectionLoss:
    with torch.autocast(pixels.device.type, torch.bfloat16, enabled=recipe.precision == "bf16"):
        raw = network.predict_raw(pixels.contiguous(memory_format=torch.channels_last))
    return detection_loss(network, raw, truth)


def _step(network: Detector, loss: DetectionLoss, optimizer: torch.optim.Optimizer, recipe: Recipe) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.total.backward()
    if recipe.clip_norm:
        nn.utils.clip_grad_norm_(network.parameters(), recipe.clip_norm)
    optimizer.step()
