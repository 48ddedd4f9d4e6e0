"""Batches of pictures and padded truth, shuffled, with what chance decides for each.

Pixels travel as uint8 and become float on the device. Where all of them take at most ``RESIDENT_SHARE`` of the GPU's
free memory they travel once and stay there; otherwise a thread gets the next batch ready while this one is used.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from netwright.data.feeding.augment import Labelled
from netwright.data.feeding.chances import Chances, draw_chances
from netwright.data.feeding.pictures import PictureSet
from netwright.training.team import Team
from netwright.types import AugmentPolicy

RESIDENT_SHARE = 0.25  # of the GPU's free memory: the network, its gradients and its activations need the rest
_PIECE = 256  # pictures that are sent at once


def padded_truth(pictures: PictureSet, indices: list[int], room: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes (B, M, 4) in input pixels, labels (B, M) and which are valid (B, M) of some pictures.

    M is the longest list's length, and at least ``room``.
    """
    longest = max([len(pictures.labels[index]) for index in indices] + [room])
    boxes = torch.zeros(len(indices), longest, 4)
    labels = torch.zeros(len(indices), longest, dtype=torch.int64)
    valid = torch.zeros(len(indices), longest, dtype=torch.bool)
    for row, index in enumerate(indices):
        count = len(pictures.labels[index])
        boxes[row, :count] = torch.from_numpy(pictures.input_boxes(index))
        labels[row, :count] = torch.from_numpy(pictures.labels[index])
        valid[row, :count] = True
    return boxes, labels, valid


def fits_on_device(pictures: PictureSet, device: str) -> bool:
    """Whether all pixels may live on ``device``. Not on the CPU: there the mapped file already is in its memory."""
    if torch.device(device).type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(torch.device(device))
    return pictures.pixels.nbytes <= RESIDENT_SHARE * free


class Feed:
    """The batches of any number of epochs of ``pictures`` on ``device``; ``resident`` pixels live there whole.

    Of each batch this process gets its ``team``'s share.
    """

    def __init__(self, pictures: PictureSet, device: str, *, resident: bool, team: Team = Team()) -> None:  # noqa: B008 frozen
        self._pictures, self._device, self._team = pictures, torch.device(device), team
        on_gpu = self._device.type == "cuda"  # there equal shapes pay, on a CPU little padding
        self._room = max([len(labels) for labels in pictures.labels] + [1]) if on_gpu else 1
        self._pixels = self._sent() if resident else None

    def epoch(
        self, *, batch_size: int, policy: AugmentPolicy, generator: torch.Generator
    ) -> Iterator[tuple[Labelled, Chances]]:
        """One epoch of batches, pixels uint8 (B, 3, H, W), and how to augment them, on the device.

        Every picture comes once; the last batch may be smaller, and is left out where it holds fewer pictures than the
        team processes. ``generator`` lives on the CPU: the same seed gives the same batches wherever the pixels live,
        and, but for mosaics, whatever the team.
        """
        order = torch.randperm(len(self._pictures), generator=generator).tolist()
        wholes = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
        wholes = [whole for whole in wholes if len(whole) >= self._team.size]
        shares = self._prepared([self._team.share(whole) for whole in wholes])
        for whole, batch in zip(wholes, shares, strict=True):
            drawn = draw_chances(len(whole), policy, generator)
            chances = drawn.share(self._team.rank, self._team.size)
            parts = (batch.pixels, batch.boxes, batch.labels, batch.valid)
            yield Labelled(*(part.to(self._device, non_blocking=True) for part in parts)), chances.to(self._device)

    def _prepared(self, batches: Iterable[list[int]]) -> Iterator[Labelled]:
        """Each batch, one ahead of who asks; resident ones at once, on the stream of who asks."""
        if self._pixels is not None:
            yield from map(self.gather, batches)
            return
        with ThreadPoolExecutor(1) as thread:
            ahead = None
            for indices in batches:
                following = thread.submit(self.gather, indices)
                if ahead is not None:
                    yield ahead.result()
                ahead = following
            if ahead is not None:
                yield ahead.result()

    def gather(self, indices: list[int]) -> Labelled:
        """Pixels uint8 (B, 3, H, W), on the device where they are resident and else on the host, and their truth."""
        truth = padded_truth(self._pictures, indices, self._room)
        if self._pixels is not None:
            return Labelled(self._pixels[torch.tensor(indices, device=self._device)], *truth)
        pixels = self._host(len(indices))
        self._pictures.pixels.take(indices, axis=0, out=pixels.numpy(), mode="clip")
        return Labelled(pixels, *truth)

    def _host(self, count: int) -> Tensor:
        """Room for ``count`` pictures that the device can fetch by itself."""
        shape = (count, *self._pictures.pixels.shape[1:])
        return torch.empty(shape, dtype=torch.uint8, pin_memory=self._device.type == "cuda")

    def _sent(self) -> Tensor:
        pixels = torch.empty(self._pictures.pixels.shape, dtype=torch.uint8, device=self._device)
        for start in range(0, len(pixels), _PIECE):
            pixels[start : start + _PIECE] = torch.tensor(self._pictures.pixels[start : start + _PIECE])
        return pixels
