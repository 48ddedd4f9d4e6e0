"""All that the next epoch depends on, and its way into a checkpoint and back, bit for bit."""

from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from netwright.errors import UserError
from netwright.training.checkpoints import Snapshot, prefixed, without_prefix
from netwright.training.ema import MovingAverage
from netwright.training.optim import Schedule, build_optimizer
from netwright.training.recipe import EpochMetrics, Recipe


class TrainingState:
    """Network, average, optimizer, schedule, random generators, the curves, and the best weights so far.

    ``steps`` is optimizer steps in one epoch; ``best`` the val mAP50-95 that an epoch must beat, -1 for none.
    """

    def __init__(self, network: nn.Module, recipe: Recipe, *, steps: int, best: float) -> None:
        self.network, self.recipe, self.best, self.best_epoch = network, recipe, best, 0
        self.average = MovingAverage(network, recipe.ema_decay)
        self.best_tensors = self.average.copy()
        self.optimizer = build_optimizer(network, learning_rate=recipe.learning_rate, weight_decay=recipe.weight_decay)
        self.scaler = torch.amp.GradScaler(next(network.parameters()).device.type, enabled=recipe.precision == "fp16")
        self.schedule = Schedule(
            peak=recipe.learning_rate,
            steps=steps * recipe.epochs,
            # a short run must decay too
            warmup_steps=min(round(steps * min(recipe.warmup_epochs, recipe.epochs)), steps * recipe.epochs // 4),
            decay_share=recipe.decay_share,
        )
        self.steps = 0
        self.generator = torch.Generator().manual_seed(recipe.seed)
        self.history: list[EpochMetrics] = []

    def next_rate(self) -> float:
        """Count a step and return its learning rate."""
        self.steps += 1
        return self.schedule.rate(self.steps - 1)

    def snapshot(self) -> Snapshot:
        """The state after an epoch: tensors, and numbers that JSON holds exactly."""
        tensors = (
            prefixed("network", self.network.state_dict())
            | prefixed("average", self.average.tensors)
            | prefixed("best", self.best_tensors)
            | prefixed("optimizer", self._optimizer_tensors())
            | prefixed("random", self._random_states())
        )
        facts = {
            "history": [asdict(metrics) for metrics in self.history],
            "best": self.best,
            "best_epoch": self.best_epoch,
            "average_steps": self.average.steps,
            "steps": self.steps,
            "batch_size": self.recipe.batch_size,
            "learning_rate": self.recipe.learning_rate,
            "scaler": self.scaler.state_dict(),
        }
        return Snapshot(tensors, facts)

    def restore(self, snapshot: Snapshot) -> None:
        """Continue from ``snapshot``. Raises UserError where it belongs to another network."""
        tensors, facts = snapshot
        network = without_prefix("network", tensors)
        if _shapes(network) != _shapes(self.network.state_dict()):
            raise UserError("the checkpoint belongs to another network: remove its folder and start again")
        self.network.load_state_dict(network)
        _copy_into(self.average.tensors, without_prefix("average", tensors))
        _copy_into(self.best_tensors, without_prefix("best", tensors))
        self._restore_optimizer(without_prefix("optimizer", tensors))
        self.scaler.load_state_dict(facts["scaler"])
        self.steps = facts["steps"]
        self.average.steps = facts["average_steps"]
        self.history = [EpochMetrics(**line) for line in facts["history"]]
        self.best, self.best_epoch = facts["best"], facts["best_epoch"]
        self._restore_random(without_prefix("random", tensors))

    def _parameters(self) -> list[nn.Parameter]:
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    def _optimizer_tensors(self) -> dict[str, Tensor]:
        return {
            f"{index}/{name}": tensor
            for index, parameter in enumerate(self._parameters())
            for name, tensor in self.optimizer.state[parameter].items()
        }

    def _restore_optimizer(self, tensors: dict[str, Tensor]) -> None:
        parameters = self._parameters()
        for key, tensor in tensors.items():
            index, name = key.split("/")
            parameter = parameters[int(index)]
            # the fused kernel walks moments and parameters alike, so they must lie in memory alike
            kept = torch.empty_like(parameter) if tensor.shape == parameter.shape else torch.empty_like(tensor)
            self.optimizer.state[parameter][name] = kept.copy_(tensor).to(parameter.device)

    def _random_states(self) -> dict[str, Tensor]:
        states = {"data": self.generator.get_state(), "torch": torch.get_rng_state()}
        return states | ({"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {})

    def _restore_random(self, states: dict[str, Tensor]) -> None:
        self.generator.set_state(states["data"])
        torch.set_rng_state(states["torch"])
        if "cuda" in states and torch.cuda.is_available():
            torch.cuda.set_rng_state(states["cuda"])


def _shapes(tensors: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


@torch.no_grad()
def _copy_into(targets: dict[str, Tensor], sources: dict[str, Tensor]) -> None:
    for name, tensor in sources.items():
        targets[name].copy_(tensor)
