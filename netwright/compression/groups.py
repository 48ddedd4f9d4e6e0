"""Which layers lose channels together, found by torch-pruning's dependency graph."""

import fnmatch
import warnings
from dataclasses import dataclass

import torch
import torch_pruning as tp
from torch import nn
from torch_pruning.ops import _OutputOp

from netwright.compression.importance import Layer
from netwright.compression.tracing import RawOutputs
from netwright.errors import UserError
from netwright.models.detector import Detector


@dataclass(frozen=True, kw_only=True)
class Group:
    """Layers whose output channels are one set: sums couple convolutions, and a depthwise one its producer.

    ``layers`` are module paths in execution order of the first, ``kept_whole`` says why no channel may go.
    """

    layers: tuple[str, ...]
    channels: int
    kept_whole: str | None


class ChannelGraph:
    """The groups of a detector, and the one way to remove channels from them."""

    def __init__(self, network: Detector) -> None:
        spec = network.architecture.input
        pixels = torch.zeros(1, 3, spec.height, spec.width, device=network.points.device)
        self._network = network
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._graph = tp.DependencyGraph().build_dependency(RawOutputs(network.eval()), pixels, verbose=False)

    def groups(self, exclude: tuple[str, ...]) -> tuple[Group, ...]:
        """Every group once. ``exclude`` holds glob patterns over layer names.

        Raises UserError for a pattern that names no layer.
        """
        layers = {name: module for name, module in self._network.named_modules() if isinstance(module, Layer)}
        for pattern in exclude:
            if not fnmatch.filter(layers, pattern):
                raise UserError(
                    f"prune.exclude has {pattern!r}, which matches no layer: names are like {[*layers][-1]!r}"
                )
        groups: list[Group] = []
        seen: set[str] = set()
        for name, layer in layers.items():
            if name not in seen:
                groups.append(self._group(layer, layers, exclude))
                seen.update(groups[-1].layers)
        return tuple(groups)

    def remove(self, group: Group, channels: list[int]) -> None:
        """Remove the output ``channels`` (indices) of all layers of ``group`` and everything that hangs on them."""
        self._dependents(self._network.get_submodule(group.layers[0]), channels).prune()

    def _dependents(self, layer: nn.Module, channels: list[int]) -> tp.dependency.Group:
        pruner = self._graph.get_pruner_of_module(layer)
        return self._graph.get_pruning_group(layer, pruner.prune_out_channels, channels)

    def _group(self, root: Layer, layers: dict[str, Layer], exclude: tuple[str, ...]) -> Group:
        count = root.weight.shape[0]
        names = {id(layer): name for name, layer in layers.items()}
        members: dict[str, list[int]] = {}
        reason = None
        for dependency, indices in self._dependents(root, list(range(count))):
            target = dependency.target.module
            reason = reason or _forbids(target, dependency.target.name)
            if id(target) in names and self._graph.is_out_channel_pruning_fn(dependency.handler):
                members[names[id(target)]] = list(indices)
        ordered = tuple(name for name in layers if name in members)
        return Group(layers=ordered, channels=count, kept_whole=reason or _obstacle(members, layers, count, exclude))


def _forbids(module: object, name: str) -> str | None:
    """Why nothing that ``module``, called ``name``, reads or writes may lose channels, if so."""
    if isinstance(module, _OutputOp):
        return "output layer"
    if isinstance(module, nn.Conv2d) and module.groups not in (1, module.out_channels):
        return f"{_path(name)} is a grouped convolution"
    if isinstance(module, nn.Parameter):
        return "bound to a parameter that belongs to no layer"
    holds = isinstance(module, nn.Module) and any(True for _ in module.parameters(recurse=False))
    if holds and not isinstance(module, nn.Conv2d | nn.BatchNorm2d):
        return f"bound to {_path(name)}, a {type(module).__name__}, whose width architecture.json does not hold"
    return None


def _path(name: str) -> str:
    """torch-pruning calls a layer "network.body.conv (Conv2d(...))"."""
    return name.partition(" ")[0].removeprefix("network.")


def _obstacle(
    members: dict[str, list[int]], layers: dict[str, Layer], count: int, exclude: tuple[str, ...]
) -> str | None:
    """Why the group stays whole, if it does. ``members`` holds the channels of each layer bound to the root's."""
    for pattern in exclude:
        if matched := fnmatch.filter(members, pattern):
            return f"{matched[0]} is excluded by {pattern!r}"
    for name, indices in members.items():
        if indices != list(range(count)) or layers[name].weight.shape[0] != count:
            return f"{name} shares only a part of its channels"
    return None
