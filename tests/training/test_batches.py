"""Batches: every picture once, the same ones wherever the pixels live, from a file that is only mapped."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from netwright.data.feeding.pictures import PictureSet
from netwright.data.feeding.preprocess import fit_geometry
from netwright.training import batches
from netwright.training.batches import Feed, fits_on_device, steps_of_an_epoch
from netwright.training.team import Team
from netwright.types import AugmentPolicy, InputSpec

STILL = AugmentPolicy(flip=0, scale=(1, 1), translate=0, brightness=0, contrast=0, saturation=0, mosaic=0)
COUNT = 8


def _pictures(folder: Path | None = None) -> PictureSet:
    """Picture i is filled with 30 i and has i % 3 boxes."""
    pixels = np.repeat(np.arange(COUNT, dtype=np.uint8) * 30, 3 * 8 * 12).reshape(COUNT, 3, 8, 12)
    if folder:
        pixels.tofile(folder / "pixels")
        pixels = np.memmap(folder / "pixels", np.uint8, "r", shape=pixels.shape)
    return PictureSet(
        names=tuple("abcdefgh"),
        pixels=pixels,
        geometries=(fit_geometry(12, 8, InputSpec(height=8, width=12)),) * COUNT,
        boxes=tuple(np.full((index % 3, 4), [1, 1, 7, 7], np.float32) for index in range(COUNT)),
        labels=tuple(np.full(index % 3, index) for index in range(COUNT)),
        classes=tuple("abcdefgh"),
    )


def _epoch(feed: Feed, policy: AugmentPolicy, seed: int = 0) -> list[tuple[torch.Tensor, ...]]:
    generator = torch.Generator().manual_seed(seed)
    drawn = feed.epoch(batch_size=3, policy=policy, generator=generator)
    return [(batch.pixels, batch.boxes, batch.labels, batch.valid, chances.table) for batch, chances in drawn]


def _unpadded(batch: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    pixels, boxes, labels, valid, table = batch
    return pixels, boxes[valid], labels[valid], valid.sum(1), table


def test_every_picture_comes_once_with_its_own_truth(tmp_path: Path) -> None:
    found = _epoch(Feed(_pictures(tmp_path), "cpu", resident=False), STILL)
    assert [len(pixels) for pixels, *_ in found] == [3, 3, 2]
    seen = []
    for pixels, boxes, labels, valid, _ in found:
        assert pixels.dtype == torch.uint8
        for row in range(len(pixels)):
            index = round(pixels[row, 0, 4, 6].item() / 30)
            seen.append(index)
            assert int(valid[row].sum()) == index % 3
            assert (labels[row][valid[row]] == index).all()
            assert (boxes[row][valid[row]] == torch.tensor([1.0, 1, 7, 7])).all()
    assert sorted(seen) == list(range(COUNT))
    assert seen != sorted(seen)


@pytest.mark.parametrize(
    ("pictures", "processes", "steps"), [(8, 1, 3), (7, 1, 2), (1, 1, 1), (8, 2, 3), (8, 3, 2), (2, 2, 1), (6, 1, 2)]
)
def test_a_last_batch_of_one_picture_or_too_few_for_the_team_is_left_out(
    pictures: int, processes: int, steps: int
) -> None:
    assert steps_of_an_epoch(pictures, 3, Team(0, processes)) == steps


@pytest.mark.parametrize("policy", [STILL, AugmentPolicy(mosaic=0.5)])
def test_resident_and_mapped_pixels_give_the_same_batches(tmp_path: Path, policy: AugmentPolicy) -> None:
    resident, mapped = Feed(_pictures(), "cpu", resident=True), Feed(_pictures(tmp_path), "cpu", resident=False)
    for seed in (0, 1):
        for first, second in zip(_epoch(resident, policy, seed), _epoch(mapped, policy, seed), strict=True):
            assert all(torch.equal(one, other) for one, other in zip(_unpadded(first), _unpadded(second), strict=True))


@pytest.mark.parametrize(("mosaic", "widths"), [(0.0, {1, 2}), (0.5, {2})])
def test_which_mosaics_have_room_does_not_hang_on_the_batch(mosaic: float, widths: set[int]) -> None:
    """As on a GPU, truth is then padded up to the fullest picture of the set."""
    policy = replace(STILL, mosaic=mosaic)
    drawn = Feed(_pictures(), "cpu", resident=False).epoch(
        batch_size=1, policy=policy, generator=torch.Generator().manual_seed(0)
    )
    assert {batch.boxes.shape[1] for batch, _ in drawn} == widths


def test_an_epoch_left_early_ends_and_the_next_begins_anew() -> None:
    feed = Feed(_pictures(), "cpu", resident=False)
    next(feed.epoch(batch_size=1, policy=STILL, generator=torch.Generator().manual_seed(0)))
    assert len(_epoch(feed, STILL)) == 3


def test_pixels_live_on_the_device_while_they_take_a_quarter_of_its_free_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pictures = _pictures()
    assert not fits_on_device(pictures, "cpu")
    for free, fits in ((4 * pictures.pixels.nbytes, True), (4 * pictures.pixels.nbytes - 1, False)):
        monkeypatch.setattr(batches.torch.cuda, "mem_get_info", lambda _, free=free: (free, free))
        assert fits_on_device(pictures, "cuda") is fits


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("resident", [True, False])
def test_a_gpu_gets_the_same_pixels(tmp_path: Path, resident: bool) -> None:
    expected = _epoch(Feed(_pictures(), "cpu", resident=False), STILL)
    for _ in range(2):
        found = _epoch(Feed(_pictures(tmp_path), "cuda", resident=resident), STILL)
        for first, second in zip(expected, found, strict=True):
            assert all(torch.equal(first[part], second[part].cpu()) for part in (0, 4))
            assert torch.equal(first[2][first[3]], second[2].cpu()[second[3].cpu()])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_batches_of_resident_pictures_do_not_wait_for_the_gpu() -> None:
    batches = Feed(_pictures(), "cuda", resident=True).epoch(
        batch_size=3, policy=STILL, generator=torch.Generator().manual_seed(0)
    )
    next(batches)  # the epoch's order and chances are sent before it
    torch.cuda.set_sync_debug_mode("error")
    try:
        assert len(list(batches)) == 2
    finally:
        torch.cuda.set_sync_debug_mode("default")
