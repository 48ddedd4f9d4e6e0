"""The training loop: every stage that trains calls ``fit``."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from netwright.data.feeding.pictures import PictureSet
from netwright.errors import UserError
from netwright.evaluation.coco import Accuracy
from netwright.models.assign import Truth
from netwright.models.detector import Detector
from netwright.models.losses import DetectionLoss, detection_loss
from netwright.training.batches import Feed, fits_on_device
from netwright.training.checkpoints import Checkpoints
from netwright.training.recipe import EpochMetrics, FitResult, Recipe
from netwright.training.state import TrainingState

Score = Callable[[nn.Module], Accuracy]
OnEpoch = Callable[[EpochMetrics], None]
OnResume = Callable[[tuple[EpochMetrics, ...]], None]


def fit(
    network: Detector,
    pictures: PictureSet,
    *,
    recipe: Recipe,
    device: str,
    score: Score,
    on_epoch: OnEpoch,
    start: Accuracy | None = None,
    checkpoints: Checkpoints | None = None,
    on_resume: OnResume | None = None,
) -> FitResult:
    """Train ``network`` in place; it ends holding the averaged weights of the epoch with the best val mAP50-95.

    ``start`` is the accuracy that the network comes with: its weights are kept unless an epoch beats it.
    With ``checkpoints``, each epoch's state is saved there, and a training that was cut off goes on after its last
    one with the very weights of an unbroken run; ``on_resume`` is told the epochs that need no repeating. The caller
    clears them once the result is safe.
    Raises UserError when the loss is no longer finite, naming the step, or when the GPU's memory does not suffice.
    """
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(recipe.threads)
    network.to(torch.device(device)).to(memory_format=torch.channels_last)
    steps = math.ceil(len(pictures) / recipe.batch_size)
    state = TrainingState(network, recipe, steps=steps, best=start.map50_95 if start else -1.0)
    if checkpoints and (found := checkpoints.newest()):
        state.restore(found)
        if on_resume:
            on_resume(tuple(state.history))
    feed = Feed(pictures, device, resident=fits_on_device(pictures, device))
    while len(state.history) < recipe.epochs and not _out_of_patience(state, recipe):
        with _enough_memory(recipe):
            line = _score_epoch(state, _train_epoch(state, network, feed, recipe), recipe, score)
        state.history.append(line)
        if checkpoints:
            checkpoints.save(line.epoch, state.snapshot())
        on_epoch(line)
    network.load_state_dict(state.best_tensors)
    network.eval()
    return FitResult(history=tuple(state.history), best_epoch=state.best_epoch)


@contextlib.contextmanager
def _enough_memory(recipe: Recipe) -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError:
        raise UserError(
            f"the GPU's memory does not hold a step with batches of {recipe.batch_size}: "
            f"set train.batch_size to {max(recipe.batch_size // 2, 1)}, train.precision to bf16, or shrink the input"
        ) from None


def _out_of_patience(state: TrainingState, recipe: Recipe) -> bool:
    """Only an epoch that was scored can tell."""
    if not recipe.patience or not state.history or state.history[-1].map50_95 is None:
        return False
    return state.history[-1].epoch - state.best_epoch >= recipe.patience


def _score_epoch(state: TrainingState, line: EpochMetrics, recipe: Recipe, score: Score) -> EpochMetrics:
    """Score the averaged weights where it is the epoch's turn, and keep them where they are the best."""
    if line.epoch % recipe.validate_every and line.epoch != recipe.epochs:
        return line
    trained = {name: tensor.clone() for name, tensor in state.network.state_dict().items()}
    tensors = state.average.copy()
    state.network.load_state_dict(tensors)
    accuracy = score(state.network)
    state.network.load_state_dict(trained)
    if accuracy.map50_95 > state.best:
        state.best, state.best_epoch, state.best_tensors = accuracy.map50_95, line.epoch, tensors
    return replace(line, map50_95=accuracy.map50_95, map50=accuracy.map50)


def _train_epoch(state: TrainingState, network: Detector, feed: Feed, recipe: Recipe) -> EpochMetrics:
    """One pass over all pictures; what is returned has no accuracy yet."""
    began, rate, epoch = time.perf_counter(), float(state.schedule.get_last_lr()[0]), len(state.history) + 1
    network.train()
    sums, count = torch.zeros(4), 0
    batches = feed.epoch(batch_size=recipe.batch_size, policy=recipe.augment, generator=state.generator)
    for count, (pixels, truth) in enumerate(batches, start=1):
        loss = _loss(network, pixels, truth, recipe)
        _refuse_infinite(loss, count, epoch, recipe)
        _step(network, loss, state.optimizer, recipe)
        state.schedule.step()
        state.average.update(network)
        sums += torch.stack((loss.total.detach(), loss.objects, loss.classes, loss.boxes)).cpu()
    total, objects, classes, boxes = (sums / count).tolist()
    return EpochMetrics(
        epoch=epoch,
        loss=total,
        loss_object=objects,
        loss_class=classes,
        loss_box=boxes,
        learning_rate=rate,
        seconds=time.perf_counter() - began,
    )


def _refuse_infinite(loss: DetectionLoss, step: int, epoch: int, recipe: Recipe) -> None:
    if not torch.isfinite(loss.total):
        raise UserError(
            f"the loss became {loss.total.item()} at step {step} of epoch {epoch}: "
            f"lower the learning rate (now {recipe.learning_rate}) or set precision to fp32"
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
