"""Where activations are quantized: every tensor that a convolution or a sum reads, once, with one scale.

A tensor that several layers read has one quantizer. Padding keeps values, so the quantizer stands before it; after
nearest upsampling and max pooling the same quantizer stands again (its values are already on the grid), so that
runtimes can run these operations on integers and see both sides of a sum quantized.
"""

import operator
from dataclasses import dataclass

import torch
from torch import fx, nn
from torch.nn import functional

from netwright.compression.tracing import PREFIX

_SUMS = (operator.add, operator.iadd, torch.add)
_KEEPS_VALUES = (nn.Identity, nn.Dropout, nn.ZeroPad2d)
_REPEATS_VALUES = (nn.MaxPool2d,)


@dataclass(frozen=True)
class Site:
    """A node whose output is quantized, and the name of the quantizer that does it."""

    node: fx.Node
    quantizer: str


def quantization_sites(graph: fx.Graph, modules: dict[str, nn.Module], layers: frozenset[str]) -> list[Site]:
    """Where quantizers go in ``graph``, in execution order, for the convolutions named in ``layers`` to be integer."""
    wanted: dict[fx.Node, str] = {}
    for node in graph.nodes:
        if node.op == "call_module" and node.target in layers:
            _want(_only_input(node), modules, wanted)
        elif _is_sum_of_features(node):
            for operand in node.args[:2]:
                _want(operand, modules, wanted)
    return [Site(node, wanted[node]) for node in graph.nodes if node in wanted]


def insert_quantizers(graph: fx.Graph, sites: list[Site], folder: str) -> None:
    """Put a call of module ``folder.<quantizer>`` behind every site; all readers then read its output."""
    for site in sites:
        with graph.inserting_after(site.node):
            call = graph.call_module(f"{folder}.{site.quantizer}")
        site.node.replace_all_uses_with(call)
        call.args = (site.node,)
    graph.lint()


def _want(node: fx.Node, modules: dict[str, nn.Module], wanted: dict[fx.Node, str]) -> str:
    """Ask for a quantizer of ``node``'s values; the name of the one that does it."""
    module = modules.get(str(node.target)) if node.op == "call_module" else None
    if isinstance(module, _KEEPS_VALUES):
        return _want(_only_input(node), modules, wanted)
    if isinstance(module, _REPEATS_VALUES) or _is_nearest_resize(node):
        wanted[node] = _want(_only_input(node), modules, wanted)
    else:
        wanted[node] = node.name.removeprefix(f"{PREFIX}_")
    return wanted[node]


def _only_input(node: fx.Node) -> fx.Node:
    source = node.args[0]
    assert isinstance(source, fx.Node)
    return source


def _is_nearest_resize(node: fx.Node) -> bool:
    return node.target is functional.interpolate and bool(node.kwargs.get("mode", "nearest") == "nearest")


def _is_sum_of_features(node: fx.Node) -> bool:
    """Whether ``node`` adds two computed tensors (a constant operand, as in the normalisation, does not count)."""
    if node.op != "call_function" or node.target not in _SUMS:
        return False
    return all(isinstance(operand, fx.Node) and operand.op != "get_attr" for operand in node.args[:2])
