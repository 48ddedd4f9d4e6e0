"""Exponential moving average of a network's tensors.

Source: Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992; the ramp lets the
average follow the fast early steps.
"""

import math

import torch
from torch import Tensor, nn

RAMP_STEPS = 200.0


class MovingAverage:
    """Holds averaged copies of the floating-point entries of a state dict; the others are copied as they are.

    ``weight``, what the next update takes of the network, is a tensor on its device: a captured step reads it anew.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.tensors = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        self.weight = torch.ones((), device=next(iter(self.tensors.values())).device)

    def advance(self) -> None:
        """Count a step and set ``weight`` for it."""
        self.steps += 1
        self.weight.fill_(1 - self.decay * (1 - math.exp(-self.steps / RAMP_STEPS)))

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Move the average towards the network's present tensors, by ``weight``."""
        present = network.state_dict()
        moving = [name for name, tensor in present.items() if tensor.is_floating_point()]
        averages = [self.tensors[name] for name in moving]
        # few large kernels, as in torch's own AveragedModel; what does not differ is not touched by rounding
        away = torch._foreach_sub([present[name] for name in moving], averages)  # noqa: SLF001
        torch._foreach_mul_(away, self.weight)
        torch._foreach_add_(averages, away)
        for name, tensor in present.items():
            if not tensor.is_floating_point():
                self.tensors[name].copy_(tensor)

    def copy(self) -> dict[str, Tensor]:
        """The averaged state dict, detached from later updates."""
        return {name: tensor.clone() for name, tensor in self.tensors.items()}
