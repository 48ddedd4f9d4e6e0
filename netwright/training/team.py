"""The processes that train one network together, each on its part of every batch; mostly there is one.

Lightning's Fabric starts them, or finds those that torchrun has started, and connects them. Gradients are summed here,
not by its wrapper, because a captured step has to contain that sum.
"""

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from netwright.errors import UserError

Value = TypeVar("Value")
_LOOK_EVERY = 1.0  # seconds between looks whether the leader lives


@dataclass(frozen=True)
class Team:
    """This process is number ``rank`` of ``size``; number 0 leads: it scores, keeps checkpoints and writes."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process is the one that others follow."""
        return self.rank == 0

    def share(self, indices: Tensor) -> Tensor:
        """This process's part of a batch: every ``size``-th of the indices (B,)."""
        return indices[self.rank :: self.size]

    def sum(self, value: Tensor) -> Tensor:
        """The sum over all processes of ``value``, which is left as it is."""
        if self.size == 1:
            return value
        total = value.detach().clone()
        torch.distributed.all_reduce(total)
        return total

    def sum_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Replace every gradient by its sum over all processes, in one message."""
        if self.size == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        torch.distributed.all_reduce(flat)
        for gradient, part in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
            gradient.copy_(part.reshape(gradient.shape))

    def told(self, value: Value) -> Value:
        """What the leader gives, for everybody; other processes' ``value`` is not looked at."""
        if self.size == 1:
            return value
        values = [value]
        torch.distributed.broadcast_object_list(values, src=0)
        return values[0]


def assemble(processes: int, device: str) -> Team:
    """Start ``processes`` on this host, or join those of torchrun, whose number counts; one: nothing is started.

    Raises UserError where there are fewer GPUs than processes, and for several hosts.
    """
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", processes))
    launched = int(os.environ.get("WORLD_SIZE", processes))
    if max(processes, launched) == 1:
        return Team()
    if launched != processes:
        raise UserError(f"torchrun has started {launched} processes, {processes} of them here: train on one host")
    if device == "cuda" and (found := torch.cuda.device_count()) < processes:
        raise UserError(
            f"{processes} processes train together, and this host has {found} GPUs: each needs one of its own"
        )
    from lightning.fabric import Fabric

    parent = os.getppid()
    fabric: Any = Fabric(accelerator="gpu" if device == "cuda" else "cpu", devices=processes, strategy="ddp")
    fabric.launch()
    if device == "cuda":
        torch.cuda.set_device(fabric.device)
    if fabric.global_rank and "TORCHELASTIC_RUN_ID" not in os.environ:  # torchrun ends its processes itself
        threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    return Team(rank=fabric.global_rank, size=fabric.world_size)


def another_has_ended(error: RuntimeError) -> bool:
    """Whether gloo or NCCL says by ``error`` that another process has ended, which then has said why."""
    return any(words in str(error) for words in ("Connection closed by peer", "remote process exited"))


def _leave_with(parent: int) -> None:
    """A follower whose leader has died would wait for it, and hold its GPU, until the connection times out."""
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY)
    os._exit(1)
