"""Fake quantizers round as integers do, stand where runtimes want them, and come back from two files.

The one test module that imports modelopt (13 s).
"""

import copy
import json

import numpy as np
import pytest
import torch
from torch import nn

from netwright.artifacts.model import load_architecture
from netwright.compression.calibration import calibrate
from netwright.compression.fake_quant import QuantizedDetector, fake_quantize
from netwright.compression.folding import fold_batch_norms
from netwright.compression.pruning import PrunePolicy, prune_network
from netwright.compression.quantized import load_network, record_quantizers, save_network
from netwright.compression.reports import quantization_as_dict
from netwright.errors import UserError
from netwright.models.cost import cost_of
from tests.compression.conftest import make_detector

BACKBONES = ["tf_efficientnet_lite0", "resnet18", "mobilenetv4_conv_small"]


def reference(values: np.ndarray, amax: np.ndarray) -> np.ndarray:
    """INT8, symmetric, in float64: ``amax`` broadcasts against ``values``."""
    scale = amax.astype(np.float64) / 127
    return np.clip(np.rint(values.astype(np.float64) / scale), -128, 127) * scale


@pytest.fixture
def quantized(detector, pixels):
    """A calibrated network; a fresh one for every test."""
    network = QuantizedDetector(fold_batch_norms(detector("resnet18")))
    calibrate(network, pixels.split(1), "max")
    return network


def test_activations_round_as_the_reference(quantized):
    quantizer = next(iter(quantized.activation_quantizers().values()))
    quantizer.amax = torch.tensor(2.54)
    values = torch.linspace(-4, 4, 1001) + 0.0003  # off the ties, where float32 and float64 may part
    found = quantizer(values).double().numpy()
    np.testing.assert_allclose(found, reference(values.numpy(), np.float32(2.54)), atol=1e-6)
    assert found.min() == pytest.approx(-128 * 0.02, abs=1e-6)
    assert found.max() == pytest.approx(2.54, abs=1e-6)


def test_halves_round_to_even(quantized):
    quantizer = next(iter(quantized.activation_quantizers().values()))
    quantizer.amax = torch.tensor(127.0)
    assert quantizer(torch.tensor([0.5, 1.5, 2.5, -0.5, -1.5])).tolist() == [0, 2, 2, 0, -2]


def test_weights_round_per_output_channel_by_their_largest_magnitude(quantized):
    layer = quantized.backbone.body.layer1[0].conv1
    weight = layer.weight.detach()
    largest = np.abs(weight.numpy()).max(axis=(1, 2, 3), keepdims=True)
    found = layer.weight_quantizer(layer.weight).detach().numpy()
    np.testing.assert_allclose(found, reference(weight.numpy(), largest), atol=1e-6)
    levels = found / (largest / 127)
    assert np.abs(levels - np.rint(levels)).max() < 1e-3
    quantized.freeze_weight_ranges()
    assert np.array_equal(layer.weight_quantizer.amax.numpy(), largest)


def test_gradient_passes_inside_the_range_only(quantized):
    quantizer = next(iter(quantized.activation_quantizers().values()))
    quantizer.amax = torch.tensor(1.0)
    values = torch.tensor([-1.5, -0.9, 0.1, 0.9, 1.5], requires_grad=True)
    fake_quantize(values, quantizer).sum().backward()
    assert values.grad.tolist() == [0, 1, 1, 1, 0]


def test_max_range_is_the_largest_magnitude_over_all_batches(detector, pixels):
    folded = fold_batch_norms(detector("resnet18"))
    seen = []
    folded.neck.down[0].register_forward_hook(lambda _, __, output: seen.append(float(output.abs().max())))
    with torch.no_grad():
        for batch in pixels.split(1):
            folded(batch)
    network = QuantizedDetector(fold_batch_norms(detector("resnet18")))
    calibrate(network, pixels.split(1), "max")
    assert len(seen) == 2
    assert float(network.activation_quantizers()["activation_ranges.neck_down_0_2"].amax) == max(seen)


def test_percentile_clips_an_outlier_that_max_follows(detector):
    network = QuantizedDetector(fold_batch_norms(detector("resnet18")))
    picture = torch.full((1, 3, 64, 96), 127.5)  # normalises to 0
    picture[:, 0, 0, 0] = 255 * 4  # one far-off value of 18432, normalises to 7
    picture[:, :, 1:, :] += 63.75 * torch.rand(1, 3, 63, 96, generator=torch.Generator().manual_seed(2))
    ranges = {}
    for method in ("max", "percentile"):
        calibrate(network, [picture], method)
        ranges[method] = float(network.activation_quantizers()["activation_ranges.add"].amax)
    assert ranges["max"] == pytest.approx(7, rel=1e-5)
    assert 0.49 < ranges["percentile"] < 0.51


def test_mse_range_has_the_least_error_of_a_dense_search(detector):
    network = QuantizedDetector(fold_batch_norms(detector("resnet18")))
    picture = 127.5 + 30 * torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(3))
    calibrate(network, [picture], "mse")
    values = ((picture / 255 - 0.5) / 0.5).numpy()
    found = float(network.activation_quantizers()["activation_ranges.add"].amax)

    def error(amax: float) -> float:
        return float(np.square(reference(values, np.float64(amax)) - values).sum())

    dense = min(error(amax) for amax in np.linspace(0.05, np.abs(values).max(), 400))
    assert error(found) <= dense * 1.02


@pytest.mark.parametrize("backbone", BACKBONES)
def test_quantized_network_comes_back_bit_by_bit(backbone, detector, pixels, tmp_path):
    pruned, _ = prune_network(detector(backbone), PrunePolicy(threshold=0.85, min_filters=8))
    network = QuantizedDetector(fold_batch_norms(pruned))
    calibrate(network, [pixels], "max")
    assert cost_of(network) == cost_of(fold_batch_norms(pruned))
    record_quantizers(network)
    save_network(tmp_path, network)
    rebuilt = load_network(tmp_path)
    with torch.no_grad():
        expected, plain = network(pixels), pruned(pixels)
        for found, wanted, unquantized in zip(rebuilt(pixels), expected, plain, strict=True):
            assert torch.equal(found, wanted)
            assert not torch.equal(found, unquantized)
    assert rebuilt.architecture == network.architecture == load_architecture(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"model.safetensors", "architecture.json"}


def test_rounding_costs_little_on_the_whole_network(quantized, detector, pixels):
    with torch.no_grad():
        found, expected = quantized.predict_raw(pixels), detector("resnet18").predict_raw(pixels)
    noise = (found.logits - expected.logits).square().mean()
    assert 0 < noise / expected.logits.var() < 0.02


def test_every_convolution_and_both_sides_of_every_sum_are_quantized(quantized):
    is_quantizer = {node for node in quantized.graph.nodes if str(node.target).startswith("activation_ranges.")}
    modules = dict(quantized.named_modules())
    layers = [node for node in quantized.graph.nodes if isinstance(modules.get(str(node.target)), nn.Conv2d)]
    sums = [node for node in quantized.graph.nodes if getattr(node.target, "__name__", "") == "add"]
    sums = [node for node in sums if node.args[1].op != "get_attr"]
    assert len(layers) == len(quantized.weight_quantizers())
    assert len(sums) == 8 + 4  # residual blocks, joins of the neck
    assert all(past_identities(node.args[0], modules) in is_quantizer for node in layers)
    assert all(past_identities(side, modules) in is_quantizer for node in sums for side in node.args)


def past_identities(node, modules):
    while isinstance(modules.get(str(node.target)), nn.Identity):
        node = node.args[0]
    return node


def test_one_tensor_has_one_scale(quantized):
    calls = [str(node.target) for node in quantized.graph.nodes if "activation_ranges." in str(node.target)]
    twice = {name for name in calls if calls.count(name) > 1}
    # the same quantizer stands again behind max pooling and nearest upsampling, which keep values
    assert twice == {
        f"activation_ranges.{name}" for name in ("backbone_body_act1", "neck_lateral_2_2", "neck_down_1_2")
    }
    sources = [node.args[0] for node in quantized.graph.nodes if "activation_ranges." in str(node.target)]
    assert len(sources) == len(set(sources))


def test_decode_tail_is_never_quantized(quantized):
    tail = {"flatten", "cat", "exp", "clamp", "transpose", "float"}
    for node in quantized.graph.nodes:
        if str(getattr(node.target, "__name__", node.target)) in tail:
            assert not any("activation_ranges." in str(user.target) for user in node.users)


def test_padding_is_zero_on_the_grid_and_quantized_before(detector):
    network = QuantizedDetector(fold_batch_norms(detector("tf_efficientnet_lite0")))
    modules = dict(network.named_modules())
    pads = [node for node in network.graph.nodes if isinstance(modules.get(str(node.target)), nn.ZeroPad2d)]
    assert pads
    assert all("activation_ranges." in str(node.args[0].target) for node in pads)


def test_fine_tuning_moves_weights_and_their_ranges_follow(quantized, pixels):
    layer = quantized.neck.up[0][0]
    optimizer = torch.optim.SGD(quantized.parameters(), lr=0.05)
    quantized.train()
    before = layer.weight.detach().clone()
    raw = quantized.predict_raw(pixels)
    (raw.logits.square().mean() + raw.objectness.square().mean() + raw.distances.square().mean()).backward()
    assert all(parameter.grad is not None for parameter in quantized.parameters())
    optimizer.step()
    assert not torch.equal(layer.weight, before)
    record_quantizers(quantized)
    setting = quantized.architecture.quantizers["neck.up.0.0.weight_quantizer"]
    assert (setting.bits, setting.axis) == (8, 0)
    assert setting.amax == tuple(layer.weight.detach().abs().amax(dim=(1, 2, 3)).tolist())


def test_copy_is_independent(quantized, pixels):
    twin = copy.deepcopy(quantized)
    with torch.no_grad():
        expected = quantized(pixels)
        assert all(torch.equal(a, b) for a, b in zip(twin(pixels), expected, strict=True))
        twin.neck.up[0][0].weight.zero_()
        assert all(torch.equal(a, b) for a, b in zip(quantized(pixels), expected, strict=True))


def test_every_scale_is_in_the_report(quantized):
    record_quantizers(quantized)
    report = quantization_as_dict(quantized.architecture, calibration="max", images=2)
    json.dumps(report, allow_nan=False)
    assert report["activations"] + report["weights"] == len(report["quantizers"]) == len(quantized.quantizers())
    weight = report["quantizers"]["head.reach.0.weight_quantizer"]
    assert len(weight["scale"]) == 4
    assert weight["scale"][0] == weight["amax"][0] / 127


def test_exported_graph_computes_the_same(quantized, pixels, tmp_path):
    import onnxruntime

    record_quantizers(quantized)
    path = tmp_path / "model.onnx"
    torch.onnx.export(quantized, (pixels,), path, dynamo=False, opset_version=17, input_names=["images"])
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    boxes, scores = onnxruntime.InferenceSession(path, options).run(None, {"images": pixels.numpy()})
    with torch.no_grad():
        expected_boxes, expected_scores = quantized(pixels)
    # convolutions sum in another order: a value beside a rounding edge may fall to the other side
    assert np.abs(boxes - expected_boxes.numpy()).mean() < 0.05
    assert np.abs(scores - expected_scores.numpy()).mean() < 1e-3


def test_unknown_method_and_no_pictures_are_one_clear_line(quantized, pixels):
    with pytest.raises(UserError, match=r"'median'.*max"):
        calibrate(quantized, [pixels], "median")
    with pytest.raises(UserError, match="calibration_images"):
        calibrate(quantized, [], "max")


def test_damaged_quantizers_are_one_clear_line(quantized, tmp_path):
    record_quantizers(quantized)
    save_network(tmp_path, quantized)
    path = tmp_path / "architecture.json"
    value = json.loads(path.read_text())
    del value["quantizers"]["activation_ranges.add"]
    path.write_text(json.dumps(value))
    with pytest.raises(UserError, match=r"activation_ranges\.add"):
        load_network(tmp_path)


@pytest.mark.parametrize(
    ("backbone", "said"),
    [
        ("nf_resnet26", "is a ScaledStdConv2d, which has no INT8 form"),
        ("densenet121", "follows no convolution, so it cannot be folded"),
    ],
)
def test_a_backbone_without_an_integer_form_is_one_clear_line(backbone, said):
    with pytest.raises(UserError, match=said):
        QuantizedDetector(fold_batch_norms(make_detector(backbone)))
