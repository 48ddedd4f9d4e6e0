"""A step waits for no value, so that it can be captured; on a GPU the captured one learns what the plain one learns."""

import shutil
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from netwright.data.feeding.pictures import PictureSet
from netwright.training.batches import Feed
from netwright.training.forward import Forward
from netwright.training.precision import Precision
from netwright.training.recipe import CompiledPart, Recipe
from netwright.training.state import TrainingState
from netwright.training.step import WARM, Step
from netwright.training.team import Team
from netwright.types import AugmentPolicy
from tests.training.blocks import RECIPE, blocks, small_network

POLICY = AugmentPolicy(flip=0.5, flip_vertical=0.5, turn=0.5, mosaic=0.5)
WAITING = ("aten::_local_scalar_dense", "aten::nonzero", "aten::is_nonzero")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_step_fetches_no_value(precision: str) -> None:
    """CPU and GPU run the same operators: what asks for a value here would wait for the GPU, and break a capture."""
    network, recipe = small_network().train(), replace(RECIPE, precision=precision)
    state = TrainingState(network, recipe, steps=2, best=-1.0)
    step, feed = Step(network, state, recipe, Team()), Feed(blocks(4), "cpu", resident=False)
    for batch, chances in feed.epoch(batch_size=4, policy=POLICY, generator=state.generator):
        step(batch, chances, POLICY)
        with profile(activities=[ProfilerActivity.CPU]) as found:
            step(batch, chances, POLICY)
    waiting = [event for event in found.events() if event.name in WAITING]
    assert waiting  # the fused AdamW reads its step counts where they lie, here on the CPU
    assert {_ancestors(event)[1] for event in waiting} == {"aten::_fused_adamw_"}


def _ancestors(event: torch.autograd.profiler_util.FunctionEvent) -> list[str]:
    names = []
    while (event := event.cpu_parent) is not None:
        names.append(event.name)
    return names


def _losses(compiled: tuple[CompiledPart, ...], device: str) -> list[list[float]]:
    """Of four steps: a batch of four, the rest of two, and again."""
    network, recipe = small_network().to(device).train(), replace(RECIPE, batch_size=4, compiled=compiled)
    state, losses = TrainingState(network, recipe, steps=4, best=-1.0), []
    step, feed = Step(network, state, recipe, Team()), Feed(blocks(6), device, resident=device == "cuda")
    for _ in range(2):
        for batch, chances in feed.epoch(batch_size=4, policy=POLICY, generator=state.generator):
            step.begin_epoch()
            step(batch, chances, POLICY)
            losses.append(step.losses()[0])
    return losses


def test_the_named_parts_alone_are_compiled() -> None:
    recipe = replace(RECIPE, compiled=("loss",))
    forward = Forward(small_network(), recipe, Team(), precision="fp32", captured=False)
    changed = [own is not plain for own, plain in zip(forward._compiled, forward._plain, strict=True)]
    assert changed == [False, False, True]


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler here")
def test_a_compiled_step_computes_the_losses_of_a_plain_one() -> None:
    """To rounding at first; AdamW's first steps follow the gradients' signs, which rounding turns where they are 0."""
    compiled, plain = _losses(("augment", "network", "loss"), "cpu"), _losses((), "cpu")
    torch.testing.assert_close(compiled[0], plain[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(compiled, plain, atol=1e-3, rtol=0.02)


def _trained(pictures: PictureSet, recipe: Recipe, *, captures: bool) -> tuple[Tensor, list[list[float]]]:
    """All weights after some epochs on a GPU, and the losses of each epoch."""
    network, losses = small_network().cuda().train(), []
    state = TrainingState(network, recipe, steps=2, best=-1.0)
    step, feed = Step(network, state, recipe, Team()), Feed(pictures, "cuda", resident=True)
    step._captures = captures
    with torch.cuda.stream(torch.cuda.Stream()):
        for _ in range(WARM + 3):
            step.begin_epoch()
            for batch, chances in feed.epoch(batch_size=4, policy=POLICY, generator=state.generator):
                step(batch, chances, POLICY)
            losses.append(step.losses()[0])
    return torch.cat([tensor.flatten() for tensor in network.parameters()]).cpu(), losses


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_captured_steps_change_the_weights_as_plain_ones_do(precision: Precision) -> None:
    recipe = replace(RECIPE, batch_size=4, precision=precision)
    captured, plain = (_trained(blocks(8), recipe, captures=captures)[0] for captures in (True, False))
    torch.testing.assert_close(captured, plain, atol=2e-3, rtol=1e-2)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_captured_compiled_steps_lose_what_plain_ones_lose() -> None:
    """Kernels that round otherwise part the weights in a dozen steps (AdamW's first ones follow signs), not losses."""
    recipe = replace(RECIPE, batch_size=4)
    compiled = _trained(blocks(8), replace(recipe, compiled=("augment", "network", "loss")), captures=True)[1]
    plain = _trained(blocks(8), recipe, captures=False)[1]
    torch.testing.assert_close(compiled, plain, atol=1e-3, rtol=0.02)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_graphs_of_the_policy_before_are_let_go() -> None:
    network, recipe = small_network().cuda().train(), replace(RECIPE, batch_size=4)
    state = TrainingState(network, recipe, steps=2, best=-1.0)
    step, feed, graphs = Step(network, state, recipe, Team()), Feed(blocks(4), "cuda", resident=True), []
    with torch.cuda.stream(torch.cuda.Stream()):
        for policy in (POLICY, AugmentPolicy()):
            for _ in range(WARM + 2):
                for batch, chances in feed.epoch(batch_size=4, policy=policy, generator=state.generator):
                    step(batch, chances, policy)
            graphs.append(list(step._graphs.values()))
    assert [len(kept) for kept in graphs] == [1, 1]
    assert graphs[0] != graphs[1]
