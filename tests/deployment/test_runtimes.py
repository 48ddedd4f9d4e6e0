"""Every runtime gives torch's answer, says what it is, and is reported where it is missing."""

from dataclasses import replace

import numpy as np
import pytest

from netwright.deployment.onnx_export import sample_pixels
from netwright.deployment.runtimes import tensorrt_engine
from netwright.deployment.runtimes.available import RUNTIMES, open_runtime
from netwright.deployment.runtimes.protocol import Conditions, RuntimeMissingError
from netwright.errors import UserError

from .conftest import Tiny

ON_CPU = ("torch", "onnxruntime", "openvino", "openvino_f32")


@pytest.mark.parametrize("name", ON_CPU)
def test_runtime_gives_the_answer_of_torch(tiny: Tiny, name: str) -> None:
    runtime = open_runtime(name, tiny.source(), Conditions(threads=1, exact=True))
    reference = open_runtime("torch", tiny.source(), Conditions(threads=1))
    for batch in (1, 8):
        pixels = sample_pixels(64, 64, count=batch, seed=batch)
        for found, expected in zip(runtime.run(pixels), reference.run(pixels), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ON_CPU)
def test_runtime_says_what_it_is(tiny: Tiny, name: str) -> None:
    runtime = open_runtime(name, tiny.source(), Conditions(threads=1, exact=True))
    facts = runtime.describe()
    assert (runtime.name, facts.device, facts.threads, facts.precision_used) == (name, "cpu", 1, "fp32")
    assert facts.version[0].isdigit()


def test_outputs_are_not_overwritten_by_the_next_call(tiny: Tiny) -> None:
    for name in ON_CPU:
        runtime = open_runtime(name, tiny.source(), Conditions(threads=1))
        boxes, _ = runtime.run(sample_pixels(64, 64, count=1, seed=1))
        kept = boxes.copy()
        runtime.run(sample_pixels(64, 64, count=1, seed=2))
        np.testing.assert_array_equal(boxes, kept, err_msg=name)


def test_openvino_names_the_lower_precision_that_it_chooses(tiny: Tiny) -> None:
    import openvino

    facts = open_runtime("openvino", tiny.source(), Conditions(threads=1)).describe()
    has_bf16 = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    assert facts.precision_used == ("bf16" if has_bf16 else "fp32")


@pytest.mark.parametrize("name", ["tensorrt", "tensorrt_rtx"])
def test_missing_package_names_the_extra(tiny: Tiny, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorrt_engine.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(RuntimeMissingError, match=rf"not installed: pip install -e '\.\[{name.replace('_', '-')}\]'"):
        open_runtime(name, tiny.source(), Conditions(threads=1))


def test_missing_gpu_is_a_reason(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorrt_engine, "require_package", lambda _: None)
    monkeypatch.setattr(tensorrt_engine, "cuda_devices", lambda: 0)
    with pytest.raises(RuntimeMissingError, match="needs an NVIDIA GPU"):
        open_runtime("tensorrt", tiny.source(), Conditions(threads=1))


def test_onnxruntime_without_cuda_build_says_that_it_runs_on_the_cpu(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    assert open_runtime("onnxruntime", tiny.source(), Conditions(threads=1, device="cuda")).describe().device == "cpu"


def test_unknown_runtime_is_the_users_error(tiny: Tiny) -> None:
    with pytest.raises(UserError, match="'openvimo': there are torch, onnxruntime"):
        open_runtime("openvimo", tiny.source(), Conditions(threads=1))


def test_engine_name_follows_the_files_content(tiny: Tiny) -> None:
    flavour = tensorrt_engine.Flavour("tensorrt", "tensorrt", "tensorrt")
    path = tensorrt_engine.engine_path(tiny.source(), flavour, "11.0", 2)
    other = replace(tiny.source(), onnx=tiny.path.with_name("other.onnx"))
    other.onnx.write_bytes(tiny.path.read_bytes() + b"x")
    assert path.name.startswith("tiny_fp32-")
    assert path.name.endswith("-tensorrt-11.0-b2.engine")
    assert path.name.split("-")[1] != tensorrt_engine.engine_path(other, flavour, "11.0", 2).name.split("-")[1]
    assert set(RUNTIMES) == {*ON_CPU, "tensorrt", "tensorrt_rtx"}
