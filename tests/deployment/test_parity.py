"""Parity passes what is the same and catches what is not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from netwright.deployment.onnx_export import sample_pixels
from netwright.deployment.parity import (
    Parity,
    compare_outputs,
    judge_detections,
    matched_share,
    run_through,
)
from netwright.deployment.row_parity import rounding_noise
from netwright.deployment.runtimes.available import open_runtime
from netwright.deployment.runtimes.protocol import Conditions
from netwright.deployment.runtimes.torch_runtime import DoubleTorchRuntime, TorchRuntime
from netwright.deployment.tolerance import NOISE_HEADROOM, exact_tolerance, int8_tolerance
from netwright.evaluation.detections import Detections

from .conftest import Tiny

EXACT = Conditions(threads=1, exact=True)
FP32 = exact_tolerance(1e-3, 1e-3)
CALM = {"boxes": 0.0, "scores": 0.0}  # a network that rounding does not move


def pictures() -> np.ndarray:
    return np.concatenate([sample_pixels(64, 64, count=1, seed=seed) for seed in range(3)])


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_fp32_export_agrees_with_torch(tiny: Tiny, runtime: str) -> None:
    reference = run_through(open_runtime("torch", tiny.source(), EXACT), pictures())
    parity = compare_outputs(reference, run_through(open_runtime(runtime, tiny.source(), EXACT), pictures()), FP32)
    assert parity.passed, parity.reason
    assert 0 <= parity.outputs["scores"]["mean_abs"] <= parity.outputs["scores"]["max_abs"] < 1e-3


def test_tolerance_grows_with_what_rounding_does_to_the_network() -> None:
    noise = {"boxes": 0.4, "scores": 1e-7}
    assert int8_tolerance("onnxruntime", CALM).atol == {"boxes": 0.05, "scores": 1e-5}
    assert int8_tolerance("onnxruntime", noise).atol == {"boxes": NOISE_HEADROOM * 0.4, "scores": 1e-5}


def test_rounding_noise_is_the_distance_to_float64(tiny_int8: Tiny) -> None:
    noise = noise_of(tiny_int8)
    assert 0 <= noise["scores"] < 1e-3
    assert 0 <= noise["boxes"] < 0.1


def noise_of(tiny: Tiny) -> dict[str, float]:
    single, double = (kind(tiny.source(), EXACT) for kind in (TorchRuntime, DoubleTorchRuntime))
    return rounding_noise(run_through(single, pictures()), run_through(double, pictures()))


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_int8_export_agrees_with_its_own_torch_network(tiny_int8: Tiny, runtime: str) -> None:
    reference = run_through(open_runtime("torch", tiny_int8.source(), EXACT), pictures())
    candidate = run_through(open_runtime(runtime, tiny_int8.source(), EXACT), pictures())
    parity = compare_outputs(reference, candidate, int8_tolerance(runtime, CALM))
    assert parity.passed, (parity.reason, parity.outputs)


def perturbed(tiny: Tiny, path: Path, factor: float) -> Tiny:
    """The same file with one convolution's weights scaled."""
    model = onnx.ModelProto()
    model.CopyFrom(tiny.model)
    weight = [tensor for tensor in model.graph.initializer if len(tensor.dims) == 4][10]
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * np.float32(factor), weight.name))
    onnx.save(model, path)
    return replace(tiny, path=path)


def test_slightly_wrong_fp32_export_is_caught(tiny: Tiny, tmp_path: Path) -> None:
    wrong = perturbed(tiny, tmp_path / "wrong.onnx", 1.02)
    reference = run_through(open_runtime("torch", tiny.source(), EXACT), pictures())
    parity = compare_outputs(
        reference, run_through(open_runtime("onnxruntime", wrong.source(), EXACT), pictures()), FP32
    )
    assert not parity.passed
    assert " off (every element)" in parity.reason


def test_wrong_int8_export_is_caught(tiny_int8: Tiny, tmp_path: Path) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(tiny_int8.model)
    for tensor in model.graph.initializer:
        if tensor.name.endswith("weight_quantizer.scale"):  # each channel gets its neighbour's scale
            tensor.CopyFrom(numpy_helper.from_array(np.roll(numpy_helper.to_array(tensor), 1), tensor.name))
    wrong = replace(tiny_int8, path=tmp_path / "wrong.onnx")
    onnx.save(model, wrong.path)
    reference = run_through(open_runtime("torch", tiny_int8.source(), EXACT), pictures())
    candidate = run_through(open_runtime("onnxruntime", wrong.source(), EXACT), pictures())
    assert not compare_outputs(reference, candidate, int8_tolerance("openvino", CALM)).passed


def test_each_doubled_activation_scale_is_caught(tiny_int8: Tiny, tmp_path: Path) -> None:
    """Q and DQ keep agreeing: all that is wrong is one bit of resolution."""
    reference = run_through(open_runtime("torch", tiny_int8.source(), EXACT), pictures())
    scales = [node.input[1] for node in tiny_int8.model.graph.node if node.op_type == "QuantizeLinear"]
    verdicts, noise = {}, noise_of(tiny_int8)
    for name in scales[::6]:
        model = onnx.ModelProto()
        model.CopyFrom(tiny_int8.model)
        scale = next(tensor for tensor in model.graph.initializer if tensor.name == name)
        scale.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(scale) * np.float32(2), name))
        onnx.save(model, tmp_path / "wrong.onnx")
        wrong = replace(tiny_int8, path=tmp_path / "wrong.onnx")
        candidate = run_through(open_runtime("onnxruntime", wrong.source(), EXACT), pictures())
        verdicts[name] = compare_outputs(reference, candidate, int8_tolerance("onnxruntime", noise))
    assert [name for name, verdict in verdicts.items() if verdict.passed] == []


def test_not_a_number_is_caught(tiny: Tiny) -> None:
    runtime = open_runtime("torch", tiny.source(), EXACT)
    reference, candidate = run_through(runtime, pictures()), run_through(runtime, pictures())
    broken = candidate[0][1][0]["scores"].copy()
    broken[0, 0, 0] = np.nan
    candidate[0][1][0]["scores"] = broken
    assert not compare_outputs(reference, candidate, FP32).passed


def found(*rows: tuple[float, float, int]) -> Detections:
    """(x, score, label) of 10 x 10 boxes at y = 0."""
    boxes = np.array([[x, 0, x + 10, 10] for x, _, _ in rows], np.float32).reshape(-1, 4)
    return Detections(boxes, np.array([s for _, s, _ in rows], np.float32), np.array([n for *_, n in rows], np.int64))


def test_matching_wants_class_place_and_score() -> None:
    reference = found((0, 0.9, 0), (50, 0.8, 1), (100, 0.7, 0), (150, 0.6, 0), (200, 0.1, 0))
    candidate = found((0.5, 0.85, 0), (50, 0.8, 0), (104, 0.7, 0), (150, 0.3, 0))
    assert matched_share([reference], [candidate]) == pytest.approx(1 / 4)
    assert matched_share([reference], [reference]) == 1
    assert matched_share([found((0, 0.1, 0))], [candidate]) is None


def test_one_detection_matches_once() -> None:
    assert matched_share([found((0, 0.9, 0), (0.2, 0.9, 0))], [found((0, 0.9, 0))]) == 0.5


@pytest.mark.parametrize(
    ("matched", "points", "precision_used", "passed"),
    [
        (0.96, 0.05, "fp32", True),
        (None, -0.05, "fp32", True),
        (0.94, 0.0, "int8", False),
        (0.96, -0.2, "fp32", False),
        (0.96, -0.2, "bf16", True),
        (0.96, 1.1, "int8+fp32", False),
    ],
)
def test_detections_are_judged_by_matches_and_points(
    matched: float | None, points: float, precision_used: str, passed: bool
) -> None:
    good = Parity(passed=True, reason="equal")
    judged = judge_detections(good, matched=matched, points=points, precision_used=precision_used)
    assert judged.passed is passed
    assert (judged.reason == "equal") is passed


def test_wrong_tensors_stay_wrong_however_good_the_detections() -> None:
    bad = Parity(passed=False, reason="boxes off")
    judged = judge_detections(bad, matched=1.0, points=0.0, precision_used="fp32")
    assert (judged.passed, judged.reason) == (False, "boxes off")
