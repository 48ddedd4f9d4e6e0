"""Exponential moving average of a network's tensors.

Source: Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992; the ramp lets the
average follow the fast early steps.
"""

import math

import torch
from torch import Tensor, nn

RAMP_STEPS = 200.0


class MovingAverage:
    """Holds averaged copies of the floating-point entries of a state dict; the others are copied as they are."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.tensors = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Move the average towards the network's present tensors."""
        self.steps += 1
        decay = self.decay * (1 - math.exp(-self.steps / RAMP_STEPS))
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                self.tensors[name].lerp_(tensor, 1 - decay)
            else:
                self.tensors[name].copy_(tensor)

    def copy(self) -> dict[str, Tensor]:
        """The averaged state dict, detached from later updates."""
        return {name: tensor.clone() for name, tensor in self.tensors.items()}
