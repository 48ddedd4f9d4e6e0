"""Structured pruning: whole channels leave, layers become physically smaller.

Source: NVIDIA TAO's ``prune`` (norm ``L2``, normaliser ``max``, equalization ``union``), on torch-pruning's
dependency graph. Batch norm is ignored by the statistic, as there.
"""

import copy
import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from netwright.compression.groups import ChannelGraph, Group
from netwright.compression.importance import CRITERIA, Layer, kernel_norms, normalised_by_maximum, union
from netwright.errors import UserError
from netwright.models.build import widths_of
from netwright.models.cost import Cost, cost_of
from netwright.models.detector import Detector


@dataclass(frozen=True, kw_only=True)
class PrunePolicy:
    """A channel stays when its statistic, 0..1, is above ``threshold``; counts are rounded up to ``granularity``.

    At least ``min_filters`` stay (all, where a layer has fewer). ``exclude`` holds glob patterns over layer names.
    ``criterion`` names the statistic: ``l2`` is TAO's, ``folded_l2`` measures kernels with batch norm merged in.
    """

    threshold: float
    granularity: int = 8
    min_filters: int = 16
    exclude: tuple[str, ...] = ()
    criterion: str = "l2"


@dataclass(frozen=True, kw_only=True)
class PrunedLayer:
    """One layer's fate. ``quantiles`` are min, 25 %, median, 75 %, max of the layer's own statistic.

    ``group`` numbers the layers that share channels; ``kept_whole`` says why all channels stayed, else None.
    """

    name: str
    group: int
    channels_before: int
    channels_after: int
    quantiles: tuple[float, ...]
    kept_whole: str | None


@dataclass(frozen=True, kw_only=True)
class PruningReport:
    """Costs before and after, and every layer."""

    before: Cost
    after: Cost
    layers: tuple[PrunedLayer, ...]


def prune_network(network: Detector, policy: PrunePolicy) -> tuple[Detector, PruningReport]:
    """A smaller copy of ``network`` whose ``architecture.widths`` describe it; ``network`` stays as it is.

    Raises UserError for a policy out of range, a pattern without a layer, or a threshold that removes a whole layer.
    """
    _check(policy)
    pruned = copy.deepcopy(network)
    before = cost_of(pruned)
    graph = ChannelGraph(pruned)
    measured = CRITERIA[policy.criterion](network)
    rows: list[PrunedLayer] = []
    plan: list[tuple[Group, list[int]]] = []
    for number, group in enumerate(graph.groups(policy.exclude)):
        statistics = {name: _statistic(measured, name) for name in group.layers}
        kept, reason = _decide(group, list(statistics.values()), policy)
        removed = sorted(set(range(group.channels)) - set(kept))
        plan.append((group, removed))
        rows += [_row(name, number, statistic, len(removed), reason) for name, statistic in statistics.items()]
    for group, removed in plan:  # after all statistics: a layer's kernels shrink when its producer does
        if removed:
            graph.remove(group, removed)
    pruned.architecture = replace(pruned.architecture, widths=widths_of(pruned))
    return pruned.train(network.training), PruningReport(before=before, after=cost_of(pruned), layers=tuple(rows))


def channels_to_keep(statistic: Tensor, policy: PrunePolicy) -> list[int]:
    """Ascending indices of the channels that stay; the list is empty where the policy removes all.

    ``statistic`` is (C,) of 0..1. Kept are as many of the largest as lie strictly above the threshold, at least
    ``min_filters``, rounded up to ``granularity``, never more than C. Among equals the first stay.
    """
    channels = len(statistic)
    above = int((statistic > policy.threshold).sum())
    wanted = max(above, min(policy.min_filters, channels))
    count = min(math.ceil(wanted / policy.granularity) * policy.granularity, channels)
    order = torch.sort(statistic, descending=True, stable=True).indices
    return sorted(int(index) for index in order[:count])


def _decide(group: Group, statistics: list[Tensor], policy: PrunePolicy) -> tuple[list[int], str | None]:
    everything = list(range(group.channels))
    if group.kept_whole is not None:  # its layers may be of different widths
        return everything, group.kept_whole
    statistic = union(statistics)
    kept = channels_to_keep(statistic, policy)
    if not kept or policy.threshold >= 1:
        raise UserError(
            f"prune.threshold {policy.threshold:g} would remove the whole layer {group.layers[0]} "
            f"({group.channels} channels, statistics up to {float(statistic.max()):.3g}): lower it or exclude the layer"
        )
    if len(kept) < group.channels:
        return kept, None
    if bool((statistic > policy.threshold).all()):
        return kept, "every channel is above the threshold"
    return kept, "min_filters and granularity round up to every channel"


def _statistic(network: Detector, name: str) -> Tensor:
    layer = network.get_submodule(name)
    assert isinstance(layer, Layer)
    norms = kernel_norms(layer).cpu()
    if not bool(torch.isfinite(norms).all()):
        raise UserError(f"layer {name} holds weights that are not finite: train the network again before pruning")
    return normalised_by_maximum(norms)


def _row(name: str, number: int, statistic: Tensor, removed: int, reason: str | None) -> PrunedLayer:
    places = torch.tensor((0.0, 0.25, 0.5, 0.75, 1.0), dtype=statistic.dtype)
    quantiles = tuple(round(float(value), 6) for value in torch.quantile(statistic, places))
    return PrunedLayer(
        name=name,
        group=number,
        channels_before=len(statistic),
        channels_after=len(statistic) - removed,
        quantiles=quantiles,
        kept_whole=reason,
    )


def _check(policy: PrunePolicy) -> None:
    if not policy.threshold >= 0:
        raise UserError(f"prune.threshold is {policy.threshold}: give a number of at least 0 and below 1")
    if policy.granularity < 1:
        raise UserError(f"prune.granularity is {policy.granularity}: give at least 1")
    if policy.min_filters < 0:
        raise UserError(f"prune.min_filters is {policy.min_filters}: give at least 0")
    if policy.criterion not in CRITERIA:
        raise UserError(f"prune.criterion is {policy.criterion!r}: choose among {sorted(CRITERIA)}")
