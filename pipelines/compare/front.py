"""Which trials are beaten by no other, and which of these is the best bargain."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.tracking.trials import ACCURACY, LATENCY, SIZE, Trial

FEWEST = 3  # points that a front needs before one of them can be a knee


@dataclass(frozen=True, kw_only=True)
class Front:
    """``members`` are run ids by falling accuracy; ``knee`` one of them, None where there are fewer than three."""

    members: tuple[str, ...]
    knee: str | None


def eligible(trial: Trial) -> str:
    """Why ``trial`` cannot stand on the front, "" where it can: its numbers must be whole, fair and its export true."""
    if not trial.measured:
        return "not measured"
    if trial.disturbed:
        return "disturbed"
    return "parity failed" if trial.parity == "failed" else ""


def pareto_front(trials: Sequence[Trial]) -> Front:
    """The front over accuracy on val (more is better), latency and size (less is better) of the eligible ``trials``.

    The knee is the member nearest to the point that has the best of all three, each scaled to 0..1 over the front:
    accuracy as it is, latency and size by logarithm, since halving is halving anywhere. Of equal trials the oldest
    stands for all.
    """
    trials = [trial for trial in trials if not eligible(trial)]
    if not trials:
        return Front(members=(), knee=None)
    costs = np.array([_costs(trial) for trial in trials])
    kept = np.flatnonzero(undominated(costs))
    _, first = np.unique(costs[kept], axis=0, return_index=True)
    kept = kept[np.sort(first)]
    order = kept[np.argsort(costs[kept, 0], kind="stable")]
    nearest = knee(costs[order])
    return Front(
        members=tuple(trials[index].run for index in order),
        knee=None if nearest is None else trials[order[nearest]].run,
    )


def undominated(costs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which rows of ``costs`` (N, K), less being better, no other row equals or betters everywhere and beats once."""
    kept = np.ones(len(costs), dtype=np.bool_)
    for index, row in enumerate(costs):
        kept[index] = not ((costs <= row).all(axis=1) & (costs < row).any(axis=1)).any()
    return kept


def knee(costs: NDArray[np.float64]) -> int | None:
    """The row of a front's ``costs`` (N, K) nearest to the best of every column, columns scaled to 0..1."""
    if len(costs) < FEWEST:
        return None
    low, spread = costs.min(axis=0), np.ptp(costs, axis=0)
    scaled = (costs - low) / np.where(spread > 0, spread, 1)
    return int(np.argmin(np.linalg.norm(scaled, axis=1)))


def _costs(trial: Trial) -> tuple[float, float, float]:
    metrics = trial.metrics
    return -metrics[ACCURACY], float(np.log(metrics[LATENCY])), float(np.log(metrics[SIZE]))
