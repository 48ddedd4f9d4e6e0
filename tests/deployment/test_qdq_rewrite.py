"""The rewrites make the file smaller and its graph plainer; not one output bit changes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from netwright.deployment import graph
from netwright.deployment.integer_activations import clip_after_quantize
from netwright.deployment.onnx_export import run_plain, sample_pixels
from netwright.deployment.qdq_rewrite import fold_weights, merge_zero_pads, unsigned_activations, unsigned_copy
from netwright.deployment.quantize_linear import quantize_linear

from .conftest import Tiny


def copy_of(model: onnx.ModelProto) -> onnx.ModelProto:
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return copied


def assert_bit_equal(first: onnx.ModelProto, second: onnx.ModelProto) -> None:
    onnx.checker.check_model(second, full_check=True)
    pixels = sample_pixels(64, 64, count=2, seed=9)
    for a, b in zip(run_plain(first, pixels), run_plain(second, pixels), strict=True):
        assert np.ptp(a) > 0
        np.testing.assert_array_equal(a, b)


def test_weights_become_int8_and_the_file_four_times_smaller(tiny_int8: Tiny) -> None:
    model = copy_of(tiny_int8.model)
    convolutions = graph.count(model, "Conv")
    assert fold_weights(model) == convolutions - 9
    int8 = [
        tensor for tensor in model.graph.initializer if tensor.data_type == TensorProto.INT8 and len(tensor.dims) == 4
    ]
    assert len(int8) == convolutions - 9
    assert model.ByteSize() < 0.3 * tiny_int8.model.ByteSize()
    assert graph.quantized_uses(model) == graph.quantized_uses(tiny_int8.model)
    assert_bit_equal(tiny_int8.model, model)


@pytest.mark.parametrize("per_channel", [False, True])
def test_quantize_linear_is_onnxruntimes(per_channel: bool) -> None:
    random = np.random.default_rng(4)
    scale = random.uniform(0.01, 0.1, 5 if per_channel else 1).astype(np.float32)
    scale = scale if per_channel else scale.reshape(())
    values = random.normal(0, 5, (5, 3, 2)).astype(np.float32)
    values[0, 0, 0] = (scale.reshape(-1)[0] * np.float32(2.5)).astype(np.float32)  # half way
    zero = np.zeros(scale.shape, np.int8)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, values.shape)]
    output = [helper.make_tensor_value_info("y", TensorProto.INT8, values.shape)]
    node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"], axis=0)
    constants = [numpy_helper.from_array(scale, "s"), numpy_helper.from_array(zero, "z")]
    made = helper.make_graph([node], "g", inputs, output, constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    np.testing.assert_array_equal(quantize_linear(values, scale, zero, 0), session.run(None, {"x": values})[0])


def test_every_same_pad_moves_into_its_convolution(tiny_int8: Tiny) -> None:
    model = copy_of(tiny_int8.model)
    pads = graph.count(model, "Pad")
    assert pads == 5, "tf_efficientnet_lite0 has five strided convolutions"
    assert merge_zero_pads(model) == pads
    assert graph.count(model, "Pad") == 0
    assert_bit_equal(tiny_int8.model, model)


def test_unsigned_encoding_is_bit_equal_and_complete(tiny_int8: Tiny) -> None:
    model = copy_of(tiny_int8.model)
    fold_weights(model)
    assert unsigned_activations(model) == graph.count(model, "QuantizeLinear") > 50
    kinds = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    zeros = {kinds[node.input[2]] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    assert zeros == {TensorProto.UINT8}
    shapes = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    assert all(shapes[node.input[2]] == [] for node in model.graph.node if node.op_type == "QuantizeLinear")
    assert_bit_equal(tiny_int8.model, model)


def test_all_rewrites_together_are_bit_equal(tiny_int8: Tiny) -> None:
    model = copy_of(tiny_int8.model)
    fold_weights(model)
    merge_zero_pads(model)
    assert_bit_equal(tiny_int8.model, model)
    unsigned_activations(model)
    assert_bit_equal(tiny_int8.model, model)


def test_clipping_integers_is_bit_equal_and_frees_the_convolutions(tiny_int8: Tiny) -> None:
    model = copy_of(tiny_int8.model)
    fold_weights(model)
    unsigned_activations(model)
    moved = clip_after_quantize(model)
    assert moved > 30
    makers = graph.producers(model.graph)
    quantized = [node for node in model.graph.node if node.op_type == "QuantizeLinear"]
    assert sum(makers[node.input[0]].op_type == "Conv" for node in quantized if node.input[0] in makers) >= moved
    assert_bit_equal(tiny_int8.model, model)


def test_x86_file_runs_integer_kernels_in_onnxruntime(tiny_int8: Tiny, tmp_path: Path) -> None:
    from netwright.deployment.runtimes.available import open_runtime
    from netwright.deployment.runtimes.protocol import Conditions

    model = copy_of(tiny_int8.model)
    fold_weights(model)
    merge_zero_pads(model)
    onnx.save(unsigned_copy(model, tiny_int8.architecture.input), tmp_path / "x86.onnx")
    source = replace(tiny_int8.source(), onnx=tmp_path / "x86.onnx")
    facts = open_runtime("onnxruntime", source, Conditions(threads=1)).describe()
    assert facts.precision_used.startswith("int8")


def padded(fill: float, amounts: list[int], extra: onnx.NodeProto | None = None) -> onnx.ModelProto:
    """x -> Pad -> 3x3 Conv -> y, and perhaps a second use of the pad."""
    nodes = [
        helper.make_node("Pad", ["x", "amounts", "fill"], ["p"]),
        helper.make_node("Conv", ["p", "w"], ["y"], pads=[0, 1, 0, 0]),
    ]
    constants = [
        numpy_helper.from_array(np.array(amounts, np.int64), "amounts"),
        numpy_helper.from_array(np.array(fill, np.float32), "fill"),
        numpy_helper.from_array(np.ones((1, 1, 3, 3), np.float32), "w"),
    ]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    if extra is not None:
        nodes.append(extra)
        outputs.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, None))
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 8, 8])]
    return helper.make_model(helper.make_graph(nodes, "g", inputs, outputs, constants))


def test_pads_add_up_side_by_side() -> None:
    model = padded(0, [0, 0, 1, 2, 0, 0, 3, 4])
    assert merge_zero_pads(model) == 1
    (convolution,) = model.graph.node
    assert list(convolution.attribute[0].ints) == [1, 3, 3, 4]


@pytest.mark.parametrize(
    "model",
    [
        padded(1.0, [0, 0, 1, 1, 0, 0, 1, 1]),
        padded(0, [0, 1, 0, 0, 0, 0, 0, 0]),
        padded(0, [0, 0, -1, 0, 0, 0, 0, 0]),
        padded(0, [0, 0, 1, 1, 0, 0, 1, 1], helper.make_node("Relu", ["p"], ["z"])),
    ],
    ids=["not zero", "channels", "crop", "used elsewhere"],
)
def test_pad_that_is_not_a_convolutions_stays(model: onnx.ModelProto) -> None:
    assert merge_zero_pads(model) == 0
    assert graph.count(model, "Pad") == 1
