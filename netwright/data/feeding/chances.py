"""What chance decides for a batch, drawn on the CPU: every device then augments alike, and a seed repeats it.

Shapes: B pictures.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from netwright.types import AugmentPolicy

_SINGLE = ("scale", "shift_x", "shift_y", "mirror_x", "mirror_y", "turned", "brightness", "contrast", "saturation")
_PARTNERS = ("second", "third", "fourth")
COLUMNS = (*_SINGLE, "mosaic", *_PARTNERS)


@dataclass(frozen=True)
class Chances:
    """One row of ``table`` (B, len(COLUMNS)) float32 for each picture, so that one copy takes all to a device.

    ``scale`` is the zoom; ``shift_*`` are shares of the output's sides; ``mirror_*`` are +1 or -1; ``turned`` and
    ``mosaic`` are 1 for yes; colours are factors; the partners of a mosaic are shares 0..1 of those left to choose.
    """

    table: Tensor

    def column(self, name: str) -> Tensor:
        """The drawn values (B,) of a column."""
        return self.table[:, COLUMNS.index(name)]

    def partners(self) -> Tensor:
        """Positions (3, B) int64 in the batch of the three pictures that a mosaic sets beside its own.

        They differ from it and from each other where the batch has four; every other picture is as likely.
        """
        count = len(self.table)
        left = [max(count - 1 - place, 1) for place in range(len(_PARTNERS))]
        first, second, third = (
            (self.column(name) * choices).long() for name, choices in zip(_PARTNERS, left, strict=True)
        )  # the n-th of those that are left
        second = second + (second >= first)
        third = third + (third >= torch.minimum(first, second))
        third = third + (third >= torch.maximum(first, second))
        own = torch.arange(count, device=self.table.device)
        return (own + 1 + torch.stack((first, second, third))) % count

    def without_mosaic(self, alone: Tensor) -> "Chances":
        """The same, but that the pictures ``alone`` (B,) bool are set beside no others."""
        column = COLUMNS.index("mosaic")
        table = self.table.clone()
        table[:, column] = table[:, column].masked_fill(alone, 0.0)
        return Chances(table)

    def share(self, rank: int, size: int) -> "Chances":
        """Every ``size``-th row from ``rank`` on; the partners of a mosaic are then among those rows."""
        if size == 1:
            return self
        return Chances(self.table[rank::size].clone())


def draw_chances(count: int, policy: AugmentPolicy, generator: torch.Generator) -> Chances:
    """Draw for ``count`` pictures; ``generator`` lives on the CPU."""

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(count, generator=generator) * (high - low) + low

    def sign(chance: float) -> Tensor:
        return torch.where(uniform(0, 1) < chance, -1.0, 1.0)

    def yes(chance: float) -> Tensor:
        return (uniform(0, 1) < chance).float()

    columns = {
        "scale": uniform(*policy.scale),
        "shift_x": uniform(-policy.translate, policy.translate),
        "shift_y": uniform(-policy.translate, policy.translate),
        "mirror_x": sign(policy.flip),
        "mirror_y": sign(policy.flip_vertical),
        "turned": yes(policy.turn),
        "brightness": uniform(1 - policy.brightness, 1 + policy.brightness),
        "contrast": uniform(1 - policy.contrast, 1 + policy.contrast),
        "saturation": uniform(1 - policy.saturation, 1 + policy.saturation),
        "mosaic": yes(policy.mosaic),
    }
    columns |= {name: uniform(0, 1) for name in _PARTNERS}
    return Chances(torch.stack([columns[name] for name in COLUMNS], 1))
