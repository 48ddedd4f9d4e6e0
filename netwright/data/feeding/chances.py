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
    ``mosaic`` are 1 for yes; colours are factors; the partners of a mosaic are positions in the batch.
    """

    table: Tensor

    def column(self, name: str) -> Tensor:
        """The drawn values (B,) of a column."""
        return self.table[:, COLUMNS.index(name)]

    def partners(self) -> Tensor:
        """Positions (3, B) int64 in the batch of the three pictures that a mosaic sets beside its own."""
        return torch.stack([self.column(name) for name in _PARTNERS]).long()

    def without_mosaic(self, alone: Tensor) -> "Chances":
        """The same, but that the pictures ``alone`` (B,) bool are set beside no others."""
        column = COLUMNS.index("mosaic")
        table = self.table.clone()
        table[:, column] = table[:, column].masked_fill(alone, 0.0)
        return Chances(table)

    def share(self, rank: int, size: int) -> "Chances":
        """Every ``size``-th row from ``rank`` on; the partners of a mosaic become positions among those rows."""
        if size == 1:
            return self
        table = self.table[rank::size].clone()
        first = COLUMNS.index(_PARTNERS[0])
        table[:, first:] = torch.div(table[:, first:], size, rounding_mode="floor") % len(table)
        return Chances(table)


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
    columns |= {name: torch.randperm(count, generator=generator).float() for name in _PARTNERS}
    return Chances(torch.stack([columns[name] for name in COLUMNS], 1))
