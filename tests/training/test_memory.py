"""A GPU's memory that does not suffice: what is said, what is tried, what is kept."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from netwright.errors import UserError
from netwright.evaluation.detect import score_network
from netwright.models.detector import Detector, RawPredictions
from netwright.models.losses import DetectionLoss
from netwright.training import auto_batch, forward
from netwright.training.auto_batch import fit_in_memory
from netwright.training.checkpoints import Checkpoints
from netwright.training.loop import fit
from netwright.training.memory import TooLittleMemoryError
from netwright.training.team import Team
from netwright.types import NmsPolicy
from tests.training.blocks import RECIPE, blocks, constant, small_network


class _Holding(nn.Module):
    """``network`` on a device that holds ``room`` pictures."""

    def __init__(self, network: Detector, room: int) -> None:
        super().__init__()
        self.network, self.room = network, room
        self.sizes: list[int] = []

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        self.sizes.append(len(pixels))
        if len(pixels) > self.room:
            raise torch.OutOfMemoryError
        boxes, scores = self.network(pixels)
        return boxes, scores


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            torch.OutOfMemoryError(),
            "the GPU's memory does not hold a step with batches of 4: set train.batch_size to 2",
        ),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes."),
            "this machine's memory does not hold a step with batches of 4: set train.batch_size to 2",
        ),
    ],
    ids=["GPU", "CPU"],
)
def test_too_little_memory_says_whose_and_which_batch_to_try(
    monkeypatch: pytest.MonkeyPatch, error: RuntimeError, line: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("netwright.training.forward.detection_loss", full)
    with pytest.raises(UserError, match=re.escape(line)):
        fit(
            small_network(),
            blocks(4),
            recipe=RECIPE,
            device="cpu",
            score=lambda _: constant(0),
            on_epoch=lambda _: None,
        )


def _memory_for(room: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A device that holds steps of ``room`` pictures; the sizes of those that are tried."""
    sizes, plain = list[int](), forward.detection_loss

    def loss(network: Detector, raw: RawPredictions, *others: object, **named: Any) -> DetectionLoss:
        sizes.append(len(raw.logits))
        if len(raw.logits) > room:
            raise torch.OutOfMemoryError
        return plain(network, raw, *others, **named)

    monkeypatch.setattr(forward, "detection_loss", loss)
    return sizes


def test_auto_batch_halves_the_batch_until_memory_suffices(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = _memory_for(2, monkeypatch)
    arguments = {"device": "cpu", "score": lambda _: constant(0.1), "on_epoch": lambda _: None}
    outcomes = []
    for recipe in (
        replace(RECIPE, batch_size=8, auto_batch=True),
        replace(RECIPE, batch_size=2, learning_rate=RECIPE.learning_rate / 2),
    ):
        network = small_network()
        result = fit_in_memory(network, blocks(8), recipe=recipe, checkpoints=None, team=Team(), **arguments)
        assert result.batch_size == 2
        outcomes.append(network.state_dict())
    assert sizes[:3] == [8, 4, 2]
    assert "batches of 2" in capsys.readouterr().out
    assert all(torch.allclose(outcomes[0][name], tensor, atol=1e-6) for name, tensor in outcomes[1].items())


def test_the_rate_follows_the_batches_that_there_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 6 pictures, batches of 64 are of 6; memory holds 1."""
    sizes, rates = _memory_for(1, monkeypatch), []
    fit_in_memory(
        small_network(),
        blocks(6),
        recipe=replace(RECIPE, batch_size=64, auto_batch=True, warmup_epochs=0.0, epochs=1),
        checkpoints=None,
        team=Team(),
        device="cpu",
        score=lambda _: constant(0.1),
        on_epoch=lambda line: rates.append(line.learning_rate),
    )
    assert sizes[:3] == [6, 3, 1]
    assert rates == [pytest.approx(RECIPE.learning_rate * (1 / 6) ** 0.5)]


def test_with_several_processes_the_batch_is_not_halved_by_one_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise TooLittleMemoryError("set train.batch_size to 4")

    monkeypatch.setattr(auto_batch, "fit", full)
    recipe = replace(RECIPE, batch_size=8, auto_batch=True)
    with pytest.raises(UserError, match="batch_size to 4"):
        fit_in_memory(small_network(), blocks(8), recipe=recipe, checkpoints=None, team=Team(1, 2))


@pytest.mark.parametrize("halves", [False, True])
def test_memory_that_runs_out_later_keeps_the_epochs_so_far(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, halves: bool
) -> None:
    calls, plain = [], forward.detection_loss

    def filling(*given: Any, **named: Any) -> DetectionLoss:
        calls.append(1)
        if len(calls) == 3:
            raise torch.OutOfMemoryError
        return plain(*given, **named)

    monkeypatch.setattr(forward, "detection_loss", filling)
    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(UserError, match=r"in epoch 3 .* goes on after epoch 2"):
        fit_in_memory(
            small_network(),
            blocks(4),
            recipe=replace(RECIPE, epochs=4, auto_batch=halves),
            checkpoints=checkpoints,
            team=Team(),
            device="cpu",
            score=lambda _: constant(0.1),
            on_epoch=lambda _: None,
        )
    assert checkpoints.newest() is not None


def test_what_is_advised_was_not_tried_before(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(forward, "detection_loss", full)
    recipe = replace(RECIPE, batch_size=2, auto_batch=True, precision="bf16")
    with pytest.raises(UserError, match="with batches of 1: shrink the input"):
        fit_in_memory(
            small_network(),
            blocks(4),
            recipe=recipe,
            checkpoints=None,
            team=Team(),
            device="cpu",
            score=lambda _: constant(0),
            on_epoch=lambda _: None,
        )


def test_scoring_takes_the_batches_that_memory_holds() -> None:
    pictures, network = blocks(6), small_network()
    small = _Holding(network, room=2)
    found = score_network(small, pictures, NmsPolicy(), batch_size=8, device="cpu")
    assert found == score_network(network, pictures, NmsPolicy(), batch_size=2, device="cpu")
    assert small.sizes == [6, 4, 2, 2, 2]


def test_a_picture_that_memory_does_not_hold_is_one_clear_line() -> None:
    with pytest.raises(UserError, match="does not hold one picture of 64 x 64"):
        score_network(_Holding(small_network(), room=0), blocks(3), NmsPolicy(), batch_size=4, device="cpu")
