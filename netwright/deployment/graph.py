"""Reading and tidying an ONNX graph: who makes a tensor, who takes it, which tensors are constant."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper


def producers(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    """Tensor name to the node that makes it."""
    return {name: node for node in graph.node for name in node.output if name}


def consumers(graph: onnx.GraphProto) -> dict[str, list[onnx.NodeProto]]:
    """Tensor name to the nodes that take it, once for each use."""
    takers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            if name:
                takers[name].append(node)
    return takers


def constants(graph: onnx.GraphProto) -> dict[str, NDArray[np.generic]]:
    """Initializer name to its value."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def add_constant(graph: onnx.GraphProto, name: str, value: NDArray[np.generic]) -> str:
    """Add an initializer, or find the equal one of that name. Returns its name."""
    if all(tensor.name != name for tensor in graph.initializer):
        # not ascontiguousarray: it makes a scalar (1,), and ONNX Runtime wants scales and zero points as they were
        graph.initializer.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
    return name


def lift_constants(model: onnx.ModelProto) -> None:
    """Turn every Constant node into an initializer, in place: rewrites then know one kind of constant."""
    for node in [node for node in model.graph.node if node.op_type == "Constant"]:
        tensor = next((part.t for part in node.attribute if part.name == "value"), None)
        if tensor is not None:
            tensor.name = node.output[0]
            model.graph.initializer.append(tensor)
            model.graph.node.remove(node)


def drop_unused(model: onnx.ModelProto) -> None:
    """Remove, in place, nodes and initializers that no output depends on, and recorded inner shapes."""
    graph, makers = model.graph, producers(model.graph)
    wanted, queue = set[str](), [value.name for value in graph.output]
    while queue:
        name = queue.pop()
        if name not in wanted:
            wanted.add(name)
            if name in makers:
                queue.extend(makers[name].input)
    _keep(graph.node, [node for node in graph.node if wanted.intersection(node.output)])
    _keep(graph.initializer, [tensor for tensor in graph.initializer if tensor.name in wanted])
    del graph.value_info[:]


def count(model: onnx.ModelProto, kind: str) -> int:
    """How many nodes are of operator ``kind``."""
    return sum(node.op_type == kind for node in model.graph.node)


def quantized_uses(model: onnx.ModelProto) -> int:
    """How many node inputs come out of a DequantizeLinear: merging twin pairs keeps it, losing a pair lowers it."""
    makers = producers(model.graph)
    taken = [makers[name] for node in model.graph.node for name in node.input if name in makers]
    return sum(maker.op_type == "DequantizeLinear" for maker in taken)


def shapes_of(values: Iterable[onnx.ValueInfoProto]) -> dict[str, tuple[int | str, ...]]:
    """Name to shape of graph inputs or outputs; a dynamic dimension gives its name."""
    return {
        value.name: tuple(dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim)
        for value in values
    }


def _keep(field: Any, kept: Iterable[object]) -> None:
    """Reduce a protobuf repeated field to ``kept``."""
    rows = list(kept)
    del field[:]
    field.extend(rows)
