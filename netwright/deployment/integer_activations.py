"""ReLU and ReLU6 on quantized integers, so that a convolution's output is quantized at once.

ONNX Runtime builds an integer kernel only where Q stands right behind the convolution. Rounding, clipping and the
activation are all monotone and zero is exact, so ``Q(clip(x, a, b)) = clip(Q(x), Q(a), Q(b))`` to the bit.
"""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from netwright.deployment import graph as graphs
from netwright.deployment.quantize_linear import quantize_linear


def clip_after_quantize(model: onnx.ModelProto) -> int:
    """Turn Conv -> Relu or Clip -> Q into Conv -> Q -> Clip of integers, in place. Returns how many.

    An activation stays where it is when anything but one Q takes it, or when more than it takes the convolution.
    """
    makers, takers = graphs.producers(model.graph), graphs.consumers(model.graph)
    values = graphs.constants(model.graph)
    outputs = {value.name for value in model.graph.output}
    moved = 0
    for quantize in [node for node in model.graph.node if node.op_type == "QuantizeLinear"]:
        activation = makers.get(quantize.input[0])
        if activation is None or quantize.input[0] in outputs or len(takers[quantize.input[0]]) != 1:
            continue
        limits = _limits(activation, values)
        convolution = makers.get(activation.input[0])
        if limits is None or convolution is None or convolution.op_type != "Conv":
            continue
        if len(takers[activation.input[0]]) != 1 or not all(name in values for name in quantize.input[1:]):
            continue
        _move(model, quantize, activation, _integers(quantize, limits, values))
        moved += 1
    graphs.drop_unused(model)
    return moved


def _limits(
    activation: onnx.NodeProto, values: dict[str, NDArray[np.generic]]
) -> tuple[float | None, float | None] | None:
    """Lowest and highest value that the activation lets through; None when it is no Relu or constant Clip."""
    if activation.op_type == "Relu":
        return 0.0, None
    if activation.op_type != "Clip" or not all(name in values for name in activation.input[1:] if name):
        return None
    bounds = [float(values[name]) if name else None for name in activation.input[1:]]
    low, high = (*bounds, None, None)[:2]
    return low, high


def _integers(
    quantize: onnx.NodeProto, limits: tuple[float | None, float | None], values: dict[str, NDArray[np.generic]]
) -> tuple[NDArray[np.generic] | None, NDArray[np.generic] | None]:
    scale, zero = (values[name] for name in quantize.input[1:3])
    low, high = (
        None if limit is None else quantize_linear(np.array(limit, np.float32), scale, zero, 0).reshape(())
        for limit in limits
    )
    return low, high


def _move(
    model: onnx.ModelProto,
    quantize: onnx.NodeProto,
    activation: onnx.NodeProto,
    limits: tuple[NDArray[np.generic] | None, NDArray[np.generic] | None],
) -> None:
    result = quantize.output[0]
    names = [
        "" if limit is None else graphs.add_constant(model.graph, f"{limit.dtype}_{limit}", limit) for limit in limits
    ]
    quantize.input[0] = activation.input[0]
    quantize.output[0] = f"{result}_unclipped"
    clip = helper.make_node("Clip", [quantize.output[0], *names], [result], name=f"{activation.name}_integer")
    model.graph.node.insert(list(model.graph.node).index(quantize) + 1, clip)
    model.graph.node.remove(activation)
