"""A training that was cut off goes on to the very weights of an unbroken one, from the newest file that is whole."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from netwright.errors import UserError
from netwright.evaluation.coco import Accuracy
from netwright.models.detector import Detector
from netwright.training.checkpoints import Checkpoints, Snapshot
from netwright.training.loop import fit
from netwright.training.recipe import EpochMetrics, Recipe
from tests.training.blocks import RECIPE, blocks, small_network

ACCURACIES = (0.3, 0.5, 0.4, 0.2)


class CutOffError(Exception):
    """Stands for a kill."""


def _train(checkpoints: Checkpoints | None, *, cut_after: int = 99) -> tuple[Detector, tuple[EpochMetrics, ...], int]:
    """Four epochs whose accuracies are ACCURACIES; what was trained, its curves and how many epochs were restored."""
    network = small_network()
    restored: list[EpochMetrics] = []

    def stop(metrics: EpochMetrics) -> None:
        if metrics.epoch == cut_after:
            raise CutOffError

    result = fit(
        network,
        blocks(10),
        recipe=_recipe(),
        device="cpu",
        score=_score,
        on_epoch=stop,
        checkpoints=checkpoints,
        on_resume=restored.extend,
    )
    return network, result.history, len(restored)


def _recipe() -> Recipe:
    return replace(RECIPE, epochs=4, augment=replace(RECIPE.augment, scale=(0.8, 1.2), brightness=0.2))


def _score(network: torch.nn.Module) -> Accuracy:
    """Decided by the weights, and not monotone: equal weights score equally, and the last are not always the best."""
    total = sum(float(tensor.double().abs().sum()) for tensor in network.state_dict().values())
    value = ACCURACIES[int(total * 1e6) % len(ACCURACIES)]
    return Accuracy(map50_95=value, map50=value, per_class={}, per_class50={})


def _equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("cut_after", [1, 2, 3])
def test_weights_and_curves_equal_an_unbroken_run(tmp_path: Path, cut_after: int) -> None:
    whole, curves, _ = _train(None)
    checkpoints = Checkpoints(tmp_path / "run")
    with pytest.raises(CutOffError):
        _train(checkpoints, cut_after=cut_after)
    resumed, resumed_curves, restored = _train(checkpoints)
    assert restored == cut_after
    assert _equal(whole.state_dict(), resumed.state_dict())
    assert [line.loss for line in curves] == [line.loss for line in resumed_curves]


@pytest.mark.parametrize("damage", ["bit", "cut", "no_sum", "pickle"])
def test_a_damaged_newest_checkpoint_is_passed_over(tmp_path: Path, damage: str) -> None:
    whole, _, _ = _train(None)
    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(CutOffError):
        _train(checkpoints, cut_after=3)
    newest = tmp_path / "epoch-000003.safetensors"
    content = bytearray(newest.read_bytes())
    if damage == "bit":
        content[len(content) // 2] ^= 1
        newest.write_bytes(content)
    elif damage == "cut":
        newest.write_bytes(content[: len(content) // 2])
    elif damage == "no_sum":
        newest.with_suffix(".sha256").unlink()
    else:
        torch.save({"network": torch.zeros(1)}, newest)
    resumed, _, restored = _train(checkpoints)
    assert restored == 2
    assert _equal(whole.state_dict(), resumed.state_dict())


def test_a_finished_training_is_not_repeated_until_its_checkpoints_are_cleared(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "run")
    first, _, _ = _train(checkpoints)
    again, _, restored = _train(checkpoints)
    assert restored == 4
    assert _equal(first.state_dict(), again.state_dict())
    checkpoints.clear()
    assert not (tmp_path / "run").exists()
    assert _train(checkpoints)[2] == 0


def test_only_the_two_newest_are_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for epoch in range(1, 5):
        checkpoints.save(epoch, Snapshot({"a": torch.zeros(2)}, {"epoch": epoch}))
    assert sorted(path.name for path in tmp_path.glob("*.safetensors")) == [
        "epoch-000003.safetensors",
        "epoch-000004.safetensors",
    ]
    newest = checkpoints.newest()
    assert newest is not None
    assert newest.facts == {"epoch": 4}


def test_damaged_ones_of_later_epochs_do_not_push_out_those_of_a_new_beginning(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for epoch in (6, 7):
        checkpoints.save(epoch, Snapshot({"a": torch.zeros(2)}, {"epoch": epoch}))
    for path in tmp_path.glob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:-2])
    assert checkpoints.newest() is None
    for epoch in (1, 2, 3):
        checkpoints.save(epoch, Snapshot({"a": torch.zeros(2)}, {"epoch": epoch}))
        newest = checkpoints.newest()
        assert newest is not None
        assert newest.facts == {"epoch": epoch}
    assert len([*tmp_path.iterdir()]) == 4


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, Snapshot({"network/other": torch.zeros(3)}, {}))
    with pytest.raises(UserError, match="another network"):
        _train(checkpoints)


def test_a_file_from_elsewhere_without_its_sum_is_no_checkpoint(tmp_path: Path) -> None:
    save_file({"network/a": torch.zeros(3)}, tmp_path / "epoch-000009.safetensors")
    assert Checkpoints(tmp_path).newest() is None
