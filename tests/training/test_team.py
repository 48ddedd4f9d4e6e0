"""Several processes train as one with the same global batch does."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from netwright.data.feeding.chances import COLUMNS, draw_chances
from netwright.errors import UserError
from netwright.training.batches import Feed
from netwright.training.team import Team, assemble
from netwright.types import AugmentPolicy
from tests.training import partner
from tests.training.blocks import blocks

ROOT = Path(__file__).resolve().parents[2]
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def test_the_shares_of_a_team_make_up_each_batch() -> None:
    policy = AugmentPolicy(mosaic=0.0)
    feeds = {team: Feed(blocks(10), "cpu", resident=False, team=team) for team in (Team(), Team(0, 2), Team(1, 2))}
    alone, first, second = (
        list(feed.epoch(batch_size=4, policy=policy, generator=torch.Generator().manual_seed(0)))
        for feed in feeds.values()
    )
    assert [len(batch.pixels) for batch, _ in first] == [2, 2, 1]
    for (whole, chances), (one, own), (other, others) in zip(alone, first, second, strict=True):
        assert torch.equal(whole.pixels[0::2], one.pixels)
        assert torch.equal(whole.pixels[1::2], other.pixels)
        shown = [COLUMNS.index(name) for name in COLUMNS if name not in ("second", "third", "fourth")]
        assert torch.equal(chances.table[0::2][:, shown], own.table[:, shown])
        assert torch.equal(chances.table[1::2][:, shown], others.table[:, shown])


def test_a_batch_with_fewer_pictures_than_processes_is_left_out() -> None:
    feed = Feed(blocks(9), "cpu", resident=False, team=Team(1, 2))
    drawn = feed.epoch(batch_size=4, policy=AugmentPolicy(), generator=torch.Generator().manual_seed(0))
    assert [len(batch.pixels) for batch, _ in drawn] == [2, 2]


def test_partners_of_a_mosaic_are_in_the_same_share_and_four_pictures_are_four() -> None:
    chances = draw_chances(13, AugmentPolicy(mosaic=1.0), torch.Generator().manual_seed(0))
    for rank, count in ((0, 5), (1, 4), (2, 4)):
        partners = chances.share(rank, 3).partners()
        assert partners.shape == (3, count)
        assert partners.min() >= 0
        assert partners.max() < count
        assert all(len({own, *row}) == 4 for own, row in enumerate(partners.T.tolist()))


def test_processes_of_torchrun_on_several_hosts_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with pytest.raises(UserError, match="started 4 processes, 2 of them here"):
        assemble(1, "cpu")


@pytest.mark.slow
@pytest.mark.parametrize(("launcher", "asked"), [((), "2"), (TORCHRUN, "1")], ids=["its own", "torchrun"])
def test_two_processes_give_the_losses_and_weights_of_one(
    tmp_path: Path, launcher: tuple[str, ...], asked: str
) -> None:
    """Under torchrun its number counts: NETWRIGHT_PROCESSES is 1 where nobody set it."""
    alone, together = tmp_path / "alone", tmp_path / "together"
    for folder in (alone, together):
        folder.mkdir()
    partner.main(alone, 1)
    command = [sys.executable, *launcher, "-m", "tests.training.partner", str(together), asked]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    one, two = (torch.tensor(json.loads((folder / "losses.json").read_text())) for folder in (alone, together))
    torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-5)
    expected, found = load_file(alone / "weights"), load_file(together / "weights")
    for name, tensor in expected.items():
        torch.testing.assert_close(tensor, found[name], atol=1e-4, rtol=1e-3)
