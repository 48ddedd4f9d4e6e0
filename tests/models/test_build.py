"""Weights that do not fit their architecture.json are one clear line."""

from pathlib import Path

import pytest
import torch

from netwright.errors import UserError
from netwright.models.build import put_tensors
from tests.training.blocks import small_network

FOLDER = Path("models/init")
NAME = "head.reach.0.weight"


def test_tensors_are_taken_over_and_unsaved_ones_stay() -> None:
    network, tensors = small_network(), {name: torch.ones_like(t) for name, t in small_network().state_dict().items()}
    kept = network.state_dict()[NAME].clone()
    del tensors[NAME]
    put_tensors(network, tensors, FOLDER, unsaved={NAME})
    assert torch.equal(network.state_dict()[NAME], kept)
    assert all(bool((tensor == 1).all()) for name, tensor in network.state_dict().items() if name != NAME)


@pytest.mark.parametrize(
    ("name", "tensor", "said"),
    [
        (NAME, None, "'head.reach.0.weight' of the weights is missing, and architecture.json wants [4, "),
        (NAME, torch.zeros(3), "'head.reach.0.weight' of the weights is [3], and architecture.json wants [4, "),
        ("aaa", torch.zeros(3), "'aaa' of the weights is [3], and architecture.json wants missing"),
    ],
)
def test_the_first_that_does_not_fit_is_named(name: str, tensor: torch.Tensor | None, said: str) -> None:
    network = small_network()
    tensors = {**network.state_dict(), name: tensor}
    fitting = {key: value for key, value in tensors.items() if value is not None}
    with pytest.raises(UserError) as refused:
        put_tensors(network, fitting, FOLDER)
    assert said in str(refused.value)
    assert str(refused.value).endswith(": run dvc repro")
