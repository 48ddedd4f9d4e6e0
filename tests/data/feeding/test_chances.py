"""Which pictures a mosaic sets beside its own: three others, every three as likely."""

from collections import Counter
from itertools import permutations

import pytest
import torch

from netwright.data.feeding.chances import draw_chances
from netwright.types import AugmentPolicy


def _partners(count: int, seed: int) -> list[list[int]]:
    chances = draw_chances(count, AugmentPolicy(mosaic=1.0), torch.Generator().manual_seed(seed))
    return chances.partners().T.tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("count", [4, 5, 16, 17])
def test_no_picture_of_a_mosaic_is_there_twice(count: int) -> None:
    for seed in range(50):
        assert all(len({own, *row}) == 4 for own, row in enumerate(_partners(count, seed)))


def test_every_three_others_in_every_order_are_as_likely() -> None:
    """Each of 24 orders of three of four others, some 417 of 10,000 times for each of five pictures: within five sd."""
    found = Counter((own, *row) for seed in range(10_000) for own, row in enumerate(_partners(5, seed)))
    wanted = {(own, *row) for own in range(5) for row in permutations(set(range(5)) - {own}, 3)}
    assert set(found) == wanted
    assert all(abs(times - 10_000 / 24) < 100 for times in found.values())


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_batch_of_fewer_than_four_shows_what_it_has(count: int) -> None:
    for own, row in enumerate(_partners(count, 0)):
        assert {own, *row} == set(range(count))
