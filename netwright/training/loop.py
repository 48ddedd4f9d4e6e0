"""The training loop: every stage that trains calls ``fit``."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import nn

from netwright.data.feeding.pictures import PictureSet
from netwright.errors import UserError
from netwright.evaluation.coco import Accuracy
from netwright.models.detector import Detector
from netwright.training.batches import Feed, fits_on_device, steps_of_an_epoch
from netwright.training.checkpoints import Checkpoints, Snapshot
from netwright.training.freezing import enough_to_normalise, freeze, hold_norms
from netwright.training.memory import enough_memory
from netwright.training.recipe import EpochMetrics, FitResult, Recipe
from netwright.training.state import TrainingState
from netwright.training.step import Step
from netwright.training.team import Team
from netwright.types import AugmentPolicy

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
    team: Team = Team(),  # noqa: B008 frozen
) -> FitResult:
    """Train ``network`` in place; it ends holding the averaged weights of the epoch with the best val mAP50-95.

    ``start`` is the accuracy that the network comes with: its weights are kept unless an epoch beats it.
    With ``checkpoints``, each epoch's state is saved there, and a training that was cut off goes on after its last
    one with the very weights of an unbroken run; ``on_resume`` is told the epochs that need no repeating. The caller
    clears them once the result is safe. Every process of ``team`` makes the same call and ends with the same weights,
    but for the statistics of batch norms that are not frozen; its leader alone scores, saves and is told of epochs.
    Raises UserError when the loss is no longer finite, naming the step, and TooLittleMemoryError (see memory).
    """
    _check_team(pictures, recipe, team)
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(recipe.threads)
    network.to(torch.device(device)).to(memory_format=torch.channels_last)
    freeze(network, recipe.freeze)
    found = team.told(checkpoints.newest() if checkpoints else None)
    recipe = _as_begun(replace(recipe, batch_size=min(recipe.batch_size, len(pictures))), found)
    steps = steps_of_an_epoch(len(pictures), recipe.batch_size, team)
    state = TrainingState(network, recipe, steps=steps, best=start.map50_95 if start else -1.0)
    if found:
        state.restore(found)
        if on_resume:
            on_resume(tuple(state.history))
    feed = Feed(pictures, device, resident=fits_on_device(pictures, device), team=team)
    step = Step(network, state, recipe, team)
    with _own_stream(device):
        while len(state.history) < recipe.epochs and not _out_of_patience(state, recipe):
            with enough_memory(recipe, epochs=len(state.history)), enough_to_normalise():
                trained = _train_epoch(state, network, feed, step, recipe)
            line = _score_epoch(state, trained, recipe, score, team)
            state.history.append(line)
            if checkpoints and team.leads:
                checkpoints.save(line.epoch, state.snapshot())
            on_epoch(line)
    network.load_state_dict(state.best_tensors)
    network.eval().requires_grad_(True)
    return FitResult(
        history=tuple(state.history),
        best_epoch=state.best_epoch,
        precision=step.precision,
        batch_size=recipe.batch_size,
    )


def _check_team(pictures: PictureSet, recipe: Recipe, team: Team) -> None:
    if (most := min(len(pictures), recipe.batch_size)) < team.size:
        raise UserError(
            f"{team.size} processes share batches of {recipe.batch_size} from {len(pictures)} pictures, and each needs "
            f"one: set NETWRIGHT_PROCESSES to {most} at most"
        )


def _as_begun(recipe: Recipe, found: Snapshot | None) -> Recipe:
    """The batch that an interrupted training had come to (see auto_batch)."""
    if found is None:
        return recipe
    begun = {name: found.facts[name] for name in ("batch_size", "learning_rate") if name in found.facts}
    return replace(recipe, **begun)


@contextlib.contextmanager
def _own_stream(device: str) -> Iterator[None]:
    """What is captured must not have begun on the default stream; what was put there before is waited for."""
    if torch.device(device).type != "cuda":
        yield
        return
    torch.cuda.synchronize()
    with torch.cuda.stream(torch.cuda.Stream()):
        yield
    torch.cuda.synchronize()


def _out_of_patience(state: TrainingState, recipe: Recipe) -> bool:
    """Only an epoch that was scored can tell."""
    if not recipe.patience or not state.history or state.history[-1].map50_95 is None:
        return False
    return state.history[-1].epoch - state.best_epoch >= recipe.patience


def _score_epoch(state: TrainingState, line: EpochMetrics, recipe: Recipe, score: Score, team: Team) -> EpochMetrics:
    """Score the averaged weights where it is the epoch's turn, and keep them where they are the best."""
    if line.epoch % recipe.validate_every and line.epoch != recipe.epochs:
        return line
    trained = {name: tensor.clone() for name, tensor in state.network.state_dict().items()}
    tensors = state.average.copy()
    state.network.load_state_dict(tensors)
    accuracy = team.told(score(state.network) if team.leads else None)
    state.network.load_state_dict(trained)
    assert accuracy is not None
    # where nothing has been found yet, or val has no box, no epoch can be told from another: the newest is kept
    if accuracy.map50_95 > state.best or accuracy.map50_95 == state.best == 0:
        state.best, state.best_epoch, state.best_tensors = accuracy.map50_95, line.epoch, tensors
    return replace(line, map50_95=accuracy.map50_95, map50=accuracy.map50)


def _whole(policy: AugmentPolicy) -> AugmentPolicy:
    """Pictures as a detector will meet them, cut at their own borders alone."""
    return replace(policy, mosaic=0.0, scale=(1.0, 1.0), translate=0.0)


def _check_finite(network: Detector, bad: int | None, epoch: int, recipe: Recipe) -> None:
    """Raise UserError for step ``bad`` without a finite loss, and for weights that the last step left not finite."""
    if bad is not None:
        what = f"the loss is no finite number from step {bad} of epoch {epoch} on"
    elif not torch.isfinite(nn.utils.get_total_norm(network.parameters())):
        what = f"the weights are no finite numbers after the last step of epoch {epoch}"
    else:
        return
    raise UserError(
        f"{what}: lower the learning rate (now {recipe.learning_rate}) or set train.precision to fp32; the last good "
        f"epoch is {epoch - 1}"
    )


def _train_epoch(state: TrainingState, network: Detector, feed: Feed, step: Step, recipe: Recipe) -> EpochMetrics:
    """One pass over all pictures; what is returned has no accuracy yet."""
    began, rate, epoch = time.perf_counter(), state.schedule.rate(state.steps), len(state.history) + 1
    policy = recipe.augment if epoch <= recipe.epochs - recipe.plain_epochs else _whole(recipe.augment)
    network.train()
    hold_norms(network, all_of_them=recipe.freeze_norms)
    step.begin_epoch()
    for batch, chances in feed.epoch(batch_size=recipe.batch_size, policy=policy, generator=state.generator):
        step(batch, chances, policy)
    (total, objects, classes, boxes), bad = step.losses()
    _check_finite(network, bad, epoch, recipe)
    return EpochMetrics(
        epoch=epoch,
        loss=total,
        loss_object=objects,
        loss_class=classes,
        loss_box=boxes,
        learning_rate=rate,
        seconds=time.perf_counter() - began,
    )
