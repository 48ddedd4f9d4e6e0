"""Batches of pictures and padded truth, shuffled, with what chance decides for each.

Pixels travel as uint8 and become float on the device. Where all of them take at most ``RESIDENT_SHARE`` of the GPU's
free memory they travel once, with their truth, and stay there: an epoch then sends its order and its chances at the
start and never waits for the device. Otherwise a thread gets the next batch ready while this one is used.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from netwright.data.feeding.augment import Labelled, parts_of
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


def steps_of_an_epoch(pictures: int, batch_size: int, team: Team) -> int:
    """Batches of an epoch; a last one of a single picture, or of less than one for each process, is left out.

    In one picture a batch norm over pooled maps has nothing to normalise. Where it is all there is, it stays.
    """
    whole, rest = divmod(pictures, batch_size)
    least = max(2, team.size) if whole else team.size
    return whole + (1 if rest >= least else 0)


def fits_on_device(pictures: PictureSet, device: str) -> bool:
    """Whether all pixels may live on ``device``. Not on the CPU: there the mapped file already is in its memory."""
    if torch.device(device).type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(torch.device(device))
    return pictures.pixels.nbytes <= RESIDENT_SHARE * free


class Feed:
    """The batches of any number of epochs of ``pictures`` on ``device``; ``resident`` ones live there whole.

    Of each batch this process gets its ``team``'s share.
    """

    def __init__(self, pictures: PictureSet, device: str, *, resident: bool, team: Team = Team()) -> None:  # noqa: B008 frozen
        self._pictures, self._device, self._team = pictures, torch.device(device), team
        self._on_gpu = self._device.type == "cuda"  # there equal shapes pay, on a CPU little padding
        self._longest = max([len(labels) for labels in pictures.labels] + [1])
        self._resident = self._sent() if resident else None

    def epoch(
        self, *, batch_size: int, policy: AugmentPolicy, generator: torch.Generator
    ) -> Iterator[tuple[Labelled, Chances]]:
        """One epoch of batches, pixels uint8 (B, 3, H, W), and how to augment them, on the device.

        Every picture comes once; the last batch may be smaller, or left out (see steps_of_an_epoch).
        ``generator`` lives on the CPU: the same seed gives the same batches wherever the pixels live,
        and, but for mosaics, whatever the team.
        """
        order = torch.randperm(len(self._pictures), generator=generator)
        wholes = order.split(batch_size)[: steps_of_an_epoch(len(order), batch_size, self._team)]
        drawn = [draw_chances(len(whole), policy, generator) for whole in wholes]
        tables = [chances.share(self._team.rank, self._team.size).table for chances in drawn]
        sent = torch.cat(tables).to(self._device).split([len(table) for table in tables])
        room = self._longest if self._on_gpu or policy.mosaic else 1  # which mosaics have room hangs on it
        batches = self._batches([self._team.share(whole) for whole in wholes], room)
        yield from zip(batches, map(Chances, sent), strict=True)

    def _batches(self, shares: Sequence[Tensor], room: int) -> Iterator[Labelled]:
        """Each batch, on the device: of resident pictures without the host, of others one ahead of who asks."""
        if self._resident is None:
            for batch in self._one_ahead(shares, room):
                yield Labelled(*(part.to(self._device, non_blocking=True) for part in parts_of(batch)))
            return
        for share in torch.cat(list(shares)).to(self._device).split([len(share) for share in shares]):
            yield Labelled(*(part[share] for part in parts_of(self._resident)))

    def _one_ahead(self, shares: Iterable[Tensor], room: int) -> Iterator[Labelled]:
        with ThreadPoolExecutor(1) as thread:
            ahead = None
            for share in shares:
                following = thread.submit(self.gather, share.tolist(), room)
                if ahead is not None:
                    yield ahead.result()
                ahead = following
            if ahead is not None:
                yield ahead.result()

    def gather(self, indices: list[int], room: int = 1) -> Labelled:
        """Pixels uint8 (B, 3, H, W) of some pictures and their padded truth, in memory of the host that a GPU reads."""
        shape = (len(indices), *self._pictures.pixels.shape[1:])
        pixels = torch.empty(shape, dtype=torch.uint8, pin_memory=self._on_gpu)
        self._pictures.pixels.take(indices, axis=0, out=pixels.numpy(), mode="clip")
        truth = padded_truth(self._pictures, indices, room)
        return Labelled(pixels, *(part.pin_memory() if self._on_gpu else part for part in truth))

    def _sent(self) -> Labelled:
        """All pictures and their truth."""
        pixels = torch.empty(self._pictures.pixels.shape, dtype=torch.uint8, device=self._device)
        for start in range(0, len(pixels), _PIECE):
            pixels[start : start + _PIECE] = torch.tensor(self._pictures.pixels[start : start + _PIECE])
        truth = padded_truth(self._pictures, list(range(len(pixels))), self._longest)
        return Labelled(pixels, *(part.to(self._device) for part in truth))
