"""Rewrites of a Q/DQ graph that change its form and size, not what it computes.

Quantization is symmetric throughout: a zero is kept exactly, which is what makes moving a zero pad sound.
"""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from netwright.deployment import graph as graphs
from netwright.deployment.integer_activations import clip_after_quantize
from netwright.deployment.onnx_export import run_plain, sample_pixels
from netwright.deployment.quantize_linear import quantize_linear
from netwright.types import InputSpec

UNSIGNED_SHIFT = 128  # uint8 = int8 + 128, so 128 stands for zero


def fold_weights(model: onnx.ModelProto) -> int:
    """Replace fp32 weight -> Q -> DQ by an int8 initializer behind the DQ, in place. Returns how many.

    The rounding is QuantizeLinear's own (half to even, saturating), so outputs are equal to the bit.
    """
    values, takers = graphs.constants(model.graph), graphs.consumers(model.graph)
    folded = 0
    for node in [node for node in model.graph.node if node.op_type == "QuantizeLinear"]:
        if not all(name in values for name in node.input):
            continue
        weight, scale, zero = (values[name] for name in (*node.input, *[""] * (3 - len(node.input))) if name)
        integers = quantize_linear(weight, scale, zero, _axis(node))
        name = graphs.add_constant(model.graph, f"{node.input[0]}_int8_{folded}", integers)
        for taker in takers[node.output[0]]:
            taker.input[0] = name
        model.graph.node.remove(node)
        folded += 1
    graphs.drop_unused(model)
    return folded


def merge_zero_pads(model: onnx.ModelProto) -> int:
    """Move each zero Pad into the pads of the convolutions after it, also across Q/DQ, in place. Returns how many.

    A Pad stays when it pads batch or channels, pads with something else, or when anything but convolutions uses it.
    """
    merged = 0
    for pad in [node for node in model.graph.node if node.op_type == "Pad"]:
        spatial = _spatial_zeros(pad, graphs.constants(model.graph))
        if spatial is None:
            continue
        takers = graphs.consumers(model.graph)
        convolutions = _convolutions_after(pad.output[0], takers)
        if not convolutions or any(value.name == pad.output[0] for value in model.graph.output):
            continue
        for convolution in convolutions:
            _add_pads(convolution, spatial)
        for taker in takers[pad.output[0]]:
            taker.input[0] = pad.input[0]
        model.graph.node.remove(pad)
        merged += 1
    graphs.drop_unused(model)
    return merged


def unsigned_activations(model: onnx.ModelProto) -> int:
    """Encode activations as uint8 with zero point 128 instead of int8 with 0, in place; weights stay int8.

    Scales are unchanged and so is every dequantized value. Returns how many pairs.
    """
    values, makers = graphs.constants(model.graph), graphs.producers(model.graph)
    changed = 0
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear" and _is_signed(node, values):
            _shift_zero(model, node, values)
            changed += 1
    for node in model.graph.node:
        maker = makers.get(node.input[0]) if node.input else None
        if node.op_type == "DequantizeLinear" and maker is not None and maker.op_type == "QuantizeLinear":
            _shift_zero(model, node, values)
    graphs.drop_unused(model)
    return changed


def _axis(node: onnx.NodeProto) -> int:
    return next((int(part.i) for part in node.attribute if part.name == "axis"), 1)


def _spatial_zeros(pad: onnx.NodeProto, values: dict[str, NDArray[np.generic]]) -> list[int] | None:
    """[top, left, bottom, right] of a constant zero Pad of an NCHW tensor, else None."""
    mode = next((part.s for part in pad.attribute if part.name == "mode"), b"constant")
    amounts = values.get(pad.input[1])
    fill = pad.input[2] if len(pad.input) > 2 else ""
    axes_given = len(pad.input) > 3 and bool(pad.input[3])
    if mode != b"constant" or amounts is None or amounts.size != 8 or axes_given:
        return None
    if fill and (fill not in values or np.any(values[fill])):
        return None
    sizes = [int(value) for value in amounts]
    if any(sizes[index] for index in (0, 1, 4, 5)) or min(sizes) < 0:
        return None
    return [sizes[2], sizes[3], sizes[6], sizes[7]]


def _convolutions_after(tensor: str, takers: dict[str, list[onnx.NodeProto]]) -> list[onnx.NodeProto]:
    """The convolutions that take ``tensor`` directly or through Q/DQ; none when anything else takes it."""
    found: list[onnx.NodeProto] = []
    for node in takers.get(tensor, []):
        if node.op_type == "Conv" and node.input[0] == tensor:
            found.append(node)
        elif node.op_type in ("QuantizeLinear", "DequantizeLinear") and node.input[0] == tensor:
            behind = _convolutions_after(node.output[0], takers)
            if not behind:
                return []
            found.extend(behind)
        else:
            return []
    return found


def _add_pads(convolution: onnx.NodeProto, spatial: list[int]) -> None:
    for part in convolution.attribute:
        if part.name == "pads":
            part.ints[:] = [old + new for old, new in zip(part.ints, spatial, strict=True)]
            return
    convolution.attribute.append(helper.make_attribute("pads", spatial))


def _is_signed(node: onnx.NodeProto, values: dict[str, NDArray[np.generic]]) -> bool:
    """Whether the zero point is a constant int8 0. Without a zero point ONNX's type is uint8."""
    zero = values.get(node.input[2]) if len(node.input) > 2 else None
    return zero is not None and zero.dtype == np.int8 and not np.any(zero)


def _shift_zero(model: onnx.ModelProto, node: onnx.NodeProto, values: dict[str, NDArray[np.generic]]) -> None:
    shape = values[node.input[2]].shape
    name = "zero_point_128" + "".join(f"_{size}" for size in shape)
    node.input[2] = graphs.add_constant(model.graph, name, np.full(shape, UNSIGNED_SHIFT, np.uint8))


def unsigned_copy(model: onnx.ModelProto, spec: InputSpec) -> onnx.ModelProto:
    """A copy of ``model`` for x86: unsigned activations, clipped as integers.

    Raises RuntimeError if one output bit differs.
    """
    unsigned = onnx.ModelProto()
    unsigned.CopyFrom(model)
    unsigned_activations(unsigned)
    clip_after_quantize(unsigned)
    pixels = sample_pixels(spec.height, spec.width)
    pairs = zip(run_plain(model, pixels), run_plain(unsigned, pixels), strict=True)
    if not all(np.array_equal(signed, other) for signed, other in pairs):
        raise RuntimeError("unsigned activations changed the outputs of the INT8 export")
    return unsigned
