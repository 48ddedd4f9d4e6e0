"""Batches of pictures and padded truth, shuffled and augmented."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from netwright.data.augment import augment
from netwright.data.pictures import PictureSet
from netwright.models.assign import Truth
from netwright.types import AugmentPolicy


def padded_truth(pictures: PictureSet, indices: list[int]) -> Truth:
    """The boxes of some pictures in input pixels, padded to the longest list (at least 1)."""
    longest = max([len(pictures.labels[index]) for index in indices] + [1])
    boxes = torch.zeros(len(indices), longest, 4)
    labels = torch.zeros(len(indices), longest, dtype=torch.int64)
    valid = torch.zeros(len(indices), longest, dtype=torch.bool)
    for row, index in enumerate(indices):
        count = len(pictures.labels[index])
        boxes[row, :count] = torch.from_numpy(pictures.input_boxes(index))
        labels[row, :count] = torch.from_numpy(pictures.labels[index])
        valid[row, :count] = True
    return Truth(boxes, labels, valid)


def training_batches(
    pictures: PictureSet, *, batch_size: int, policy: AugmentPolicy, generator: torch.Generator, device: str
) -> Iterator[tuple[Tensor, Truth]]:
    """One epoch of pixels (B, 3, H, W) float 0..255 and truth, on ``device``.

    Every picture comes once; the last batch may be smaller.
    """
    order = torch.randperm(len(pictures), generator=generator).tolist()
    for start in range(0, len(order), batch_size):
        indices = order[start : start + batch_size]
        pixels = torch.from_numpy(np.ascontiguousarray(pictures.pixels[indices])).to(device).float()
        truth = padded_truth(pictures, indices)
        pixels, boxes, valid, labels = augment(
            pixels, truth.boxes.to(device), truth.valid.to(device), truth.labels.to(device), policy, generator
        )
        yield pixels, Truth(boxes, labels, valid)
