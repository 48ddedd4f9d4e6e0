"""An exported file says what its network says, for any batch, with nothing left that should be folded."""

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper

from netwright.deployment import graph, onnx_export
from netwright.deployment.onnx_export import export_onnx, run_plain, sample_pixels, simplify_checked

from .conftest import Tiny


@pytest.mark.parametrize("batch", [1, 3])
def test_fp32_file_equals_torch_for_any_batch(tiny: Tiny, batch: int) -> None:
    pixels = sample_pixels(64, 64, count=batch, seed=5)
    boxes, scores = run_plain(tiny.model, pixels)
    with torch.no_grad():
        expected = tiny.network(torch.from_numpy(pixels))
    np.testing.assert_allclose(boxes, expected[0].numpy(), atol=1e-3)
    np.testing.assert_allclose(scores, expected[1].numpy(), atol=1e-5)
    assert np.ptp(scores) > 0.01, "a constant output would prove nothing"


def test_input_and_outputs_are_the_contract(tiny: Tiny) -> None:
    shapes = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*tiny.model.graph.input, *tiny.model.graph.output)
    }
    anchors = 8 * 8 + 4 * 4 + 2 * 2
    assert shapes == {
        "images": ["batch", 3, 64, 64],
        "boxes": ["batch", anchors, 4],
        "scores": ["batch", anchors, 2],
    }


def test_no_batch_norm_nms_or_shape_arithmetic_is_left(tiny: Tiny) -> None:
    kinds = {node.op_type for node in tiny.model.graph.node}
    assert not kinds & {"BatchNormalization", "NonMaxSuppression", "Shape", "Constant"}


def test_simplifying_keeps_every_quantized_use(tiny_int8: Tiny) -> None:
    raw = export_onnx(tiny_int8.network, tiny_int8.architecture, opset=17, simplify=False).model
    convolutions = graph.count(raw, "Conv")
    assert graph.quantized_uses(raw) == graph.quantized_uses(tiny_int8.model) == 2 * (convolutions - 9)


def test_simplification_that_changes_outputs_is_refused(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(model: onnx.ModelProto) -> tuple[onnx.ModelProto, bool]:
        broken = onnx.ModelProto()
        broken.CopyFrom(model)
        weight = next(tensor for tensor in broken.graph.initializer if len(tensor.dims) == 4)
        weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * 1.01, weight.name))
        return broken, True

    monkeypatch.setattr(onnx_export.onnxsim, "simplify", wrong)
    kept, notes = simplify_checked(tiny.model, sample_pixels(64, 64))
    assert kept is tiny.model
    assert "changed the outputs" in notes[0]


def test_simplification_that_drops_a_quantizer_is_refused(tiny_int8: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_one(model: onnx.ModelProto) -> tuple[onnx.ModelProto, bool]:
        broken = onnx.ModelProto()
        broken.CopyFrom(model)
        last = next(node for node in reversed(broken.graph.node) if node.op_type == "DequantizeLinear")
        source = next(node for node in broken.graph.node if last.input[0] in node.output)
        for node in broken.graph.node:
            for index, name in enumerate(node.input):
                if name == last.output[0]:
                    node.input[index] = source.input[0]
        return broken, True

    monkeypatch.setattr(onnx_export.onnxsim, "simplify", without_one)
    kept, notes = simplify_checked(tiny_int8.model, sample_pixels(64, 64))
    assert kept is tiny_int8.model
    assert "quantized tensors" in notes[0]


def test_same_network_gives_the_same_bytes(tiny: Tiny) -> None:
    again = export_onnx(tiny.network, tiny.architecture, opset=17, simplify=True).model
    assert again.SerializeToString(deterministic=True) == tiny.model.SerializeToString(deterministic=True)


def test_unused_nodes_and_constants_are_dropped() -> None:
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    result = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Add", ["x", "c"], ["lost"])]
    constant = numpy_helper.from_array(np.ones(1, np.float32), "c")
    model = helper.make_model(helper.make_graph(nodes, "g", [value], [result], [constant]))
    graph.drop_unused(model)
    assert [node.op_type for node in model.graph.node] == ["Relu"]
    assert not model.graph.initializer
