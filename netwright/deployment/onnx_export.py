"""A detector to an ONNX file: boxes and scores out, decode in fp32, no NMS; plain, pruned or fake-quantized."""

import io
import warnings
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
import onnxsim
import torch
from numpy.typing import NDArray
from torch import nn

from netwright.deployment import graph as graphs
from netwright.types import Architecture

INPUT, OUTPUTS = "images", ("boxes", "scores")
_SAME = 1e-4  # pixels for boxes: what reordered fp32 sums may differ by after simplification, relative to 1 + |value|


@dataclass(frozen=True)
class OnnxExport:
    """An exported model and what a reader of the bundle should know of how it was made."""

    model: onnx.ModelProto
    notes: tuple[str, ...]


def export_onnx(network: nn.Module, architecture: Architecture, *, opset: int, simplify: bool) -> OnnxExport:
    """Trace ``network`` to ONNX: ``images`` (batch, 3, H, W) to ``boxes`` (batch, A, 4) and ``scores`` (batch, A, C).

    The TorchScript exporter is used because modelopt's quantizers export with that one only.
    """
    spec = architecture.input
    sample = torch.zeros(1, 3, spec.height, spec.width)
    names = (INPUT, *OUTPUTS)
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # tracing warns of every shape that is constant here by design
        boxes, _ = network.cpu().eval()(sample)
        torch.onnx.export(
            network,
            (sample,),
            buffer,  # type: ignore[arg-type]  # its own exporter documents file objects too
            dynamo=False,
            opset_version=opset,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_axes={name: {0: "batch"} for name in names},
        )
    model = onnx.load_from_string(buffer.getvalue())
    notes: tuple[str, ...] = ()
    if simplify:
        model, notes = simplify_checked(model, sample_pixels(spec.height, spec.width))
    graphs.lift_constants(model)
    flatten_by_zeros(model)
    graphs.drop_unused(model)
    _fix_output_shapes(model, boxes.shape[1], len(architecture.classes))
    onnx.checker.check_model(model, full_check=True)
    return OnnxExport(model, notes)


def sample_pixels(height: int, width: int, count: int = 2, seed: int = 0) -> NDArray[np.float32]:
    """Pictures (count, 3, height, width) of 0..255 with structure: noise drawn at three scales and summed."""
    random = np.random.default_rng(seed)
    total = np.zeros((count, 3, height, width), dtype=np.float32)
    for cell in (1, 8, 32):
        coarse = random.random((count, 3, -(-height // cell), -(-width // cell)), dtype=np.float32)
        total += np.kron(coarse, np.ones((cell, cell), dtype=np.float32))[:, :, :height, :width]
    return (total * (255 / 3)).round().astype(np.float32)


def simplify_checked(model: onnx.ModelProto, pixels: NDArray[np.float32]) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """``model`` through onnxsim, kept only if outputs on ``pixels`` stay equal and no Q/DQ pair is lost.

    Returns the model to use and a note that says what happened.
    """
    simple, _ = onnxsim.simplify(model)
    before, after = graphs.quantized_uses(model), graphs.quantized_uses(simple)
    if before != after:
        return model, (f"not simplified: onnxsim left {after} of {before} uses of quantized tensors",)
    gap = output_gap(run_plain(model, pixels), run_plain(simple, pixels))
    if gap > _SAME:
        return model, (f"not simplified: onnxsim changed the outputs by {gap:.3g}",)
    return simple, (f"simplified by onnxsim: {len(model.graph.node)} to {len(simple.graph.node)} nodes",)


def run_plain(model: onnx.ModelProto, pixels: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Outputs of ``model`` in ONNX Runtime with every graph optimisation off: operator by operator, as written."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    outputs: list[NDArray[np.float32]] = session.run(list(OUTPUTS), {INPUT: pixels})
    return outputs


def output_gap(first: list[NDArray[np.float32]], second: list[NDArray[np.float32]]) -> float:
    """Largest difference of any output value, relative to 1 + its size. NaN counts as infinite."""
    gaps = [np.abs(a - b) / (1 + np.abs(a)) for a, b in zip(first, second, strict=True)]
    return max(float(np.nan_to_num(gap, nan=np.inf).max()) for gap in gaps)


def flatten_by_zeros(model: onnx.ModelProto) -> int:
    """Replace shapes computed as ``concat(shape(x)[:2], -1)`` by the constant ``[0, 0, -1]``, in place.

    That is how ``flatten(2)`` is traced when the batch is dynamic; a 0 copies the dimension. Returns how many.
    """
    makers, values = graphs.producers(model.graph), graphs.constants(model.graph)
    done = 0
    for node in model.graph.node:
        if node.op_type == "Reshape" and _is_flatten(node, makers, values):
            node.input[1] = graphs.add_constant(model.graph, "flatten_2", np.array([0, 0, -1], dtype=np.int64))
            done += 1
    return done


def _is_flatten(
    node: onnx.NodeProto, makers: dict[str, onnx.NodeProto], values: dict[str, NDArray[np.generic]]
) -> bool:
    concat = makers.get(node.input[1])
    if concat is None or concat.op_type != "Concat" or len(concat.input) != 2:
        return False
    cut, rest = makers.get(concat.input[0]), values.get(concat.input[1])
    if cut is None or cut.op_type != "Slice" or rest is None or rest.tolist() != [-1]:
        return False
    shape = makers.get(cut.input[0])
    ranges = [values[name].tolist() if name in values else None for name in cut.input[1:3]]
    return ranges == [[0], [2]] and shape is not None and shape.op_type == "Shape" and shape.input[0] == node.input[0]


def _fix_output_shapes(model: onnx.ModelProto, anchors: int, classes: int) -> None:
    for output, last in zip(model.graph.output, (4, classes), strict=True):
        del output.type.tensor_type.shape.dim[:]
        output.type.tensor_type.shape.dim.add().dim_param = "batch"
        for size in (anchors, last):
            output.type.tensor_type.shape.dim.add().dim_value = size
