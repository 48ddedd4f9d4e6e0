"""One optimizer step: augment, forward, loss, backward, clip, AdamW, moving average. It never waits for the device.

On a GPU the step is captured as a CUDA graph and replayed: a step is some thousand small kernels, and launching them
one by one takes longer than computing them.
"""

import torch
from torch import Tensor, nn

from netwright.data.feeding.augment import Labelled, parts_of
from netwright.data.feeding.chances import Chances
from netwright.models.detector import Detector
from netwright.models.losses import DetectionLoss
from netwright.training.forward import Forward
from netwright.training.optim import set_rate
from netwright.training.precision import arithmetic_for
from netwright.training.recipe import Recipe
from netwright.training.state import TrainingState
from netwright.training.team import Team
from netwright.types import AugmentPolicy

WARM = 3  # steps of a shape that run as they are before it is captured: they choose kernels and allocate


class Step:
    """Steps of ``state`` under ``recipe`` on this process's part of each batch; ``losses`` says how an epoch went.

    ``policy`` is the augmentation, which may change between epochs.
    """

    def __init__(self, network: Detector, state: TrainingState, recipe: Recipe, team: Team) -> None:
        self._network, self._state, self._team, self._clip_norm = network, state, team, recipe.clip_norm
        self._trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self._device = network.points.device
        self.precision = arithmetic_for(recipe.precision, self._device)
        # in fp16 too: the fused AdamW reads on the device whether the scaler found gradients that are not finite
        self._captures = self._device.type == "cuda"
        self._forward = Forward(network, recipe, team, precision=self.precision, captured=self._captures)
        self._graphs: dict[tuple[tuple[int, ...], ...], _Captured] = {}  # of one policy, by the batch's shapes
        self._seen: dict[tuple[tuple[int, ...], ...], int] = {}
        # graphs run one at a time: they share memory
        self._pool = torch.cuda.graph_pool_handle() if self._captures else None
        self._policy: AugmentPolicy | None = None  # of the last step
        self._sums = torch.zeros(5, device=self._device)  # four losses, steps
        self._bad = torch.full((), -1.0, device=self._device)

    def begin_epoch(self) -> None:
        """Forget the losses so far."""
        self._sums.zero_()
        self._bad.fill_(-1)

    def losses(self) -> tuple[list[float], int | None]:
        """Mean losses of the epoch (total, objects, classes, boxes), and the first step (1..) without a finite one."""
        *sums, count = self._team.sum(self._sums).tolist()
        bad, count = int(self._bad.item()), count / self._team.size
        return [value / max(count, 1) for value in sums], None if bad < 0 else bad

    def __call__(self, batch: Labelled, chances: Chances, policy: AugmentPolicy) -> None:
        """Take a step on uint8 pixels (B, 3, H, W) and their truth, on the network's device."""
        set_rate(self._state.optimizer, self._state.next_rate())
        self._state.average.advance()
        if policy != self._policy:
            self._drop_graphs()
            self._policy = policy
        key = tuple(tuple(part.shape) for part in parts_of(batch))
        self._seen[key] = self._seen.get(key, 0) + 1
        if not self._captures or self._seen[key] <= WARM:
            self._run(batch, chances, policy)
        else:
            if key not in self._graphs:
                self._graphs[key] = self._capture(batch, chances, policy)
            self._graphs[key].replay(batch, chances)

    def _drop_graphs(self) -> None:
        """Those of the policy before never run again, and this one's first steps need the memory that they hold."""
        if self._graphs:
            torch.cuda.synchronize()
            self._state.optimizer.zero_grad(set_to_none=True)
            self._graphs.clear()
            self._pool = torch.cuda.graph_pool_handle()
            torch.cuda.empty_cache()
        self._seen.clear()

    def _capture(self, batch: Labelled, chances: Chances, policy: AugmentPolicy) -> "_Captured":
        kept = _Captured(Labelled(*(part.clone() for part in parts_of(batch))), Chances(chances.table.clone()))
        self._state.optimizer.zero_grad(set_to_none=True)
        torch.cuda.synchronize()
        with torch.cuda.graph(kept.graph, pool=self._pool):
            self._run(kept.batch, kept.chances, policy)
        return kept

    def _run(self, batch: Labelled, chances: Chances, policy: AugmentPolicy) -> None:
        loss = self._forward(batch, chances, policy)
        self._update(loss.total)
        self._note(loss)
        self._state.average.update(self._network)

    def _update(self, total: Tensor) -> None:
        optimizer, scaler = self._state.optimizer, self._state.scaler
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(total).backward()
        self._team.sum_gradients(self._trained)
        if self._clip_norm:
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(self._network.parameters(), self._clip_norm)
        scaler.step(optimizer)
        scaler.update()

    @torch.no_grad()
    def _note(self, loss: DetectionLoss) -> None:
        parts = torch.stack((loss.total, loss.objects, loss.classes, loss.boxes))
        self._sums += torch.cat((parts, parts.new_ones(1)))
        is_first = ~torch.isfinite(self._team.sum(loss.total)) & (self._bad < 0)
        self._bad.copy_(torch.where(is_first, self._sums[4], self._bad))


class _Captured:
    """A graph and the tensors that it reads."""

    def __init__(self, batch: Labelled, chances: Chances) -> None:
        self.graph, self.batch, self.chances = torch.cuda.CUDAGraph(), batch, chances

    def replay(self, batch: Labelled, chances: Chances) -> None:
        for kept, given in zip(parts_of(self.batch), parts_of(batch), strict=True):
            kept.copy_(given)
        self.chances.table.copy_(chances.table)
        self.graph.replay()
