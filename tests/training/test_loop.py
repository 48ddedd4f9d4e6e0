"""Training: it learns, repeats bit for bit, keeps the best weights, stops in time, refuses a loss that is no number."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from netwright.compression.folding import fold_batch_norms
from netwright.data.feeding.augment import Labelled
from netwright.data.feeding.chances import Chances
from netwright.errors import UserError
from netwright.evaluation.coco import Accuracy
from netwright.evaluation.detect import score_network
from netwright.training.checkpoints import Checkpoints
from netwright.training.ema import RAMP_STEPS, MovingAverage
from netwright.training.freezing import freeze
from netwright.training.loop import fit
from netwright.training.optim import FINAL_SHARE, Schedule, build_optimizer, set_rate
from netwright.training.precision import Precision, arithmetic_for
from netwright.training.recipe import EpochMetrics
from netwright.training.state import TrainingState
from netwright.training.step import Step
from netwright.training.team import Team
from netwright.types import AugmentPolicy, NmsPolicy
from tests.training.blocks import RECIPE, blocks, constant, small_network


def test_training_finds_the_blocks() -> None:
    pictures, network = blocks(24), small_network()
    lines: list[EpochMetrics] = []
    result = fit(
        network,
        pictures,
        recipe=replace(RECIPE, epochs=12, validate_every=4),
        device="cpu",
        score=lambda candidate: score_network(candidate, pictures, NmsPolicy(), batch_size=8, device="cpu"),
        on_epoch=lines.append,
    )
    assert list(result.history) == lines
    assert [line.epoch for line in lines if line.map50 is not None] == [4, 8, 12]
    assert lines[-1].loss < lines[0].loss / 2
    assert score_network(network, pictures, NmsPolicy(), batch_size=8, device="cpu").map50 > 0.8


def test_the_same_seed_gives_the_same_weights() -> None:
    outcomes = []
    for _ in range(2):
        network = small_network()
        fit(network, blocks(8), recipe=RECIPE, device="cpu", score=lambda _: constant(0.1), on_epoch=lambda _: None)
        outcomes.append(network.state_dict())
    assert all(torch.equal(outcomes[0][name], outcomes[1][name]) for name in outcomes[0])


def test_the_best_epochs_weights_are_kept() -> None:
    scores, seen = iter([0.1, 0.6, 0.3]), []

    def score(candidate: torch.nn.Module) -> Accuracy:
        seen.append({name: tensor.clone() for name, tensor in candidate.state_dict().items()})
        return constant(next(scores))

    network = small_network()
    recipe = replace(RECIPE, epochs=3)
    result = fit(network, blocks(8), recipe=recipe, device="cpu", score=score, on_epoch=lambda _: None)
    assert result.best_epoch == 2
    assert all(torch.equal(tensor, seen[1][name]) for name, tensor in network.state_dict().items())


def test_the_first_weights_stay_when_no_epoch_beats_them() -> None:
    network = small_network()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    result = fit(
        network,
        blocks(8),
        recipe=RECIPE,
        device="cpu",
        score=lambda _: constant(0.4),
        on_epoch=lambda _: None,
        start=constant(0.5),
    )
    assert result.best_epoch == 0
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("start", [None, constant(0.0)])
def test_where_nothing_is_found_on_val_the_newest_weights_are_kept(start: Accuracy | None) -> None:
    """As on a val split without a box."""
    network, seen = small_network(), []

    def score(candidate: torch.nn.Module) -> Accuracy:
        seen.append({name: tensor.clone() for name, tensor in candidate.state_dict().items()})
        return constant(0.0)

    recipe = replace(RECIPE, epochs=3)
    result = fit(network, blocks(8), recipe=recipe, device="cpu", score=score, on_epoch=lambda _: None, start=start)
    assert result.best_epoch == 3
    assert all(torch.equal(tensor, seen[2][name]) for name, tensor in network.state_dict().items())


def test_training_stops_when_patience_ends() -> None:
    result = fit(
        small_network(),
        blocks(4),
        recipe=replace(RECIPE, epochs=9, patience=2),
        device="cpu",
        score=lambda _: constant(0.2),
        on_epoch=lambda _: None,
    )
    assert len(result.history) == 3


def test_patience_waits_until_val_is_scored() -> None:
    result = fit(
        small_network(),
        blocks(4),
        recipe=replace(RECIPE, epochs=9, patience=1, validate_every=3),
        device="cpu",
        score=lambda _: constant(0.2),
        on_epoch=lambda _: None,
    )
    assert len(result.history) == 6
    assert result.best_epoch == 3


def test_the_last_plain_epochs_show_whole_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    policies: list[AugmentPolicy] = []
    take = Step.__call__

    def noted(step: Step, batch: Labelled, chances: Chances, policy: AugmentPolicy) -> None:
        policies.append(policy)
        take(step, batch, chances, policy)

    monkeypatch.setattr(Step, "__call__", noted)
    policy = AugmentPolicy(flip=0.5, turn=0.5, scale=(0.5, 2.0), translate=0.2, mosaic=0.5)
    recipe = replace(RECIPE, epochs=3, plain_epochs=1, batch_size=4, augment=policy)
    fit(small_network(), blocks(4), recipe=recipe, device="cpu", score=lambda _: constant(0.2), on_epoch=lambda _: None)
    assert policies == [policy, policy, replace(policy, scale=(1.0, 1.0), translate=0.0, mosaic=0.0)]


def test_clip_norm_0_leaves_gradients_as_they_are() -> None:
    weights = []
    for norm in (0.0, 1e9):
        network = small_network()
        recipe = replace(RECIPE, clip_norm=norm)
        fit(network, blocks(4), recipe=recipe, device="cpu", score=lambda _: constant(0), on_epoch=lambda _: None)
        weights.append(network.head.reach[0].weight.detach().clone())
    assert torch.equal(*weights)


def test_a_loss_that_is_no_number_names_its_step() -> None:
    network = small_network()
    torch.nn.init.constant_(network.head.reach[0].bias, float("nan"))
    with pytest.raises(UserError, match="step 1 of epoch 1"):
        fit(network, blocks(4), recipe=RECIPE, device="cpu", score=lambda _: constant(0), on_epoch=lambda _: None)


@pytest.mark.parametrize("epochs", [1, 2])
def test_weights_that_the_last_step_of_an_epoch_ruins_are_neither_scored_nor_kept(tmp_path: Path, epochs: int) -> None:
    """Its loss, taken before the step, is finite: only the gradient is not."""
    network, checkpoints, steps = small_network(), Checkpoints(tmp_path), []

    def ruin(gradient: Tensor) -> Tensor:
        steps.append(len(steps) + 1)
        return gradient * torch.nan if len(steps) == 2 * epochs else gradient

    network.head.reach[0].weight.register_hook(ruin)
    with pytest.raises(
        UserError, match=rf"weights .* after the last step of epoch {epochs}: .* good epoch is {epochs - 1}$"
    ):
        fit(
            network,
            blocks(8),
            recipe=replace(RECIPE, epochs=3),
            device="cpu",
            score=lambda _: constant(0),
            on_epoch=lambda _: None,
            checkpoints=checkpoints,
        )
    assert len(steps) == 2 * epochs
    newest = checkpoints.newest()
    assert (newest.facts["steps"] if newest else 0) == 2 * (epochs - 1)


def test_schedule_warms_up_holds_and_falls_along_a_cosine() -> None:
    schedule = Schedule(peak=1.0, steps=20, warmup_steps=4, decay_share=0.3)
    rates = [schedule.rate(step) for step in range(21)]
    assert rates[:5] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])
    assert rates[5:15] == pytest.approx([1.0] * 10)  # the decay takes the last 6 steps
    assert rates[17] == pytest.approx(FINAL_SHARE + (1 - FINAL_SHARE) / 2)
    assert rates[20] == pytest.approx(FINAL_SHARE)


def test_a_decay_share_of_1_falls_from_the_warm_up_on() -> None:
    schedule = Schedule(peak=2.0, steps=20, warmup_steps=4, decay_share=1.0)
    assert schedule.rate(3) == schedule.rate(4) == 2.0
    assert schedule.rate(12) == pytest.approx(2 * (FINAL_SHARE + (1 - FINAL_SHARE) / 2))


def test_a_rate_reaches_every_group() -> None:
    optimizer = build_optimizer(torch.nn.Conv2d(3, 4, 3), learning_rate=1.0, weight_decay=0.1)
    set_rate(optimizer, 0.25)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.25]


def test_biases_and_norms_are_not_decayed() -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    groups = build_optimizer(network, learning_rate=1.0, weight_decay=0.1).param_groups
    assert [(len(group["params"]), group["weight_decay"]) for group in groups] == [(1, 0.1), (3, 0.0)]


def test_scales_of_several_axes_are_not_decayed() -> None:
    """As normalisation-free networks have beside their kernels."""
    network = small_network("nf_resnet26")
    decayed = build_optimizer(network, learning_rate=1.0, weight_decay=0.1).param_groups[0]["params"]
    names = [name for name, value in network.named_parameters() if any(value is one for one in decayed)]
    assert any("gain" in name for name, _ in network.named_parameters())
    assert names
    assert all(name.endswith("weight") for name in names)


def test_an_endless_warm_up_is_a_quarter_of_the_steps() -> None:
    recipe = replace(RECIPE, warmup_epochs=1e308)
    assert TrainingState(small_network(), recipe, steps=8, best=-1.0).schedule.warmup_steps == 4


def test_a_picture_alone_in_its_step_is_one_clear_line_where_a_norm_needs_two() -> None:
    network = small_network("skresnet18")
    arguments = {"device": "cpu", "score": lambda _: constant(0.1), "on_epoch": lambda _: None}
    with pytest.raises(UserError, match=r"single picture.*train\.batch_size to 2"):
        fit(network, blocks(2), recipe=replace(RECIPE, batch_size=1, epochs=1), **arguments)
    fit(network, blocks(2), recipe=replace(RECIPE, batch_size=1, epochs=1, freeze_norms=True), **arguments)


def test_moving_average_equals_its_formula_in_float64() -> None:
    layer = torch.nn.Linear(3, 2)
    average = MovingAverage(layer, 0.9)
    expected = layer.weight.detach().double().clone()
    for number in range(1, 6):
        with torch.no_grad():
            layer.weight.add_(number)
        average.advance()
        average.update(layer)
        decay = 0.9 * (1 - np.exp(-number / RAMP_STEPS))
        expected = decay * expected + (1 - decay) * layer.weight.detach().double()
    torch.testing.assert_close(average.copy()["weight"].double(), expected, rtol=1e-5, atol=1e-6)


def test_frozen_layers_and_norms_stay_as_they_are() -> None:
    network = small_network()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    recipe = replace(RECIPE, freeze=("backbone.*",))
    fit(network, blocks(8), recipe=recipe, device="cpu", score=lambda _: constant(0.1), on_epoch=lambda _: None)
    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert not any(name.startswith("backbone.") for name in changed)
    assert any(name.startswith("head.") for name in changed)
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_freeze_norms_holds_every_statistic() -> None:
    network = small_network()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items() if "running" in name}
    recipe = replace(RECIPE, freeze_norms=True)
    fit(network, blocks(8), recipe=recipe, device="cpu", score=lambda _: constant(0.1), on_epoch=lambda _: None)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items() if name in before)


def test_a_pattern_over_batch_norms_serves_a_network_in_which_they_are_folded_too() -> None:
    network = fold_batch_norms(small_network())
    freeze(network, ("backbone.body.bn1.*", "backbone.body.conv1.0.*"))
    frozen = [name for name, parameter in network.named_parameters() if not parameter.requires_grad]
    assert frozen == ["backbone.body.conv1.0.weight", "backbone.body.conv1.0.bias"]


def test_a_freeze_pattern_that_names_nothing_is_refused() -> None:
    recipe = replace(RECIPE, freeze=("backbon.*",))
    with pytest.raises(UserError, match="backbon"):
        fit(small_network(), blocks(4), recipe=recipe, device="cpu", score=lambda _: constant(0), on_epoch=print)


def test_a_class_weight_changes_what_its_objects_count_and_names_must_be_known() -> None:
    losses = {}
    for weights in ({}, {"red": 1.0, "green": 1.0}, {"green": 3.0}):
        recipe = replace(RECIPE, epochs=1, class_weights=weights)
        result = fit(
            small_network(),
            blocks(8),
            recipe=recipe,
            device="cpu",
            score=lambda _: constant(0),
            on_epoch=lambda _: None,
        )
        losses[str(weights)] = result.history[0].loss_box
    plain, ones, heavy = losses.values()
    assert plain == pytest.approx(ones, rel=1e-6)
    assert heavy > plain * 1.2
    recipe = replace(RECIPE, class_weights={"blue": 2.0})
    with pytest.raises(UserError, match="blue: the classes are red, green"):
        fit(small_network(), blocks(4), recipe=recipe, device="cpu", score=lambda _: constant(0), on_epoch=print)


def test_one_picture_can_be_learnt_from() -> None:
    result = fit(
        small_network(), blocks(1), recipe=RECIPE, device="cpu", score=lambda _: constant(0.1), on_epoch=lambda _: None
    )
    assert len(result.history) == RECIPE.epochs


def test_more_processes_than_pictures_are_refused() -> None:
    with pytest.raises(UserError, match="NETWRIGHT_PROCESSES to 3 at most"):
        fit(
            small_network(),
            blocks(3),
            recipe=RECIPE,
            device="cpu",
            score=lambda _: constant(0),
            on_epoch=print,
            team=Team(rank=0, size=5),
        )


@pytest.mark.parametrize("precision", ["auto", "fp32", "bf16"])
def test_the_result_says_which_precision_was_used(precision: Precision) -> None:
    recipe = replace(RECIPE, epochs=1, precision=precision)
    result = fit(
        small_network(), blocks(4), recipe=recipe, device="cpu", score=lambda _: constant(0), on_epoch=lambda _: None
    )
    assert result.precision == (precision if precision != "auto" else arithmetic_for("auto", torch.device("cpu")))
