"""OpenVINO on the CPU. It lowers fp32 models to bf16 on CPUs that have bf16, unless told to be exact."""

from collections import Counter
from typing import Any

import openvino

from netwright.deployment.runtimes.protocol import Conditions, Outputs, Pixels, RuntimeFacts, Source

_NAMES = {"f32": "fp32", "f16": "fp16", "u8": "int8", "i8": "int8"}
EXACT_FLOATS = "openvino_f32"
_WEIGHTED = ("Convolution", "GroupConvolution", "MatMul", "FullyConnected")


class OpenVino:
    """One compiled model per batch size: static shapes are what its kernels are tuned for."""

    def __init__(self, source: Source, conditions: Conditions, *, name: str = "openvino") -> None:
        self.name = name
        self._core = openvino.Core()
        self._onnx = source.onnx
        self._conditions = conditions
        self._requests: dict[int, Any] = {}
        self._request(conditions.batch)

    def describe(self) -> RuntimeFacts:
        """The precision is read layer by layer from the compiled model."""
        compiled = self._request(self._conditions.batch).get_compiled_model()
        return RuntimeFacts(
            version=openvino.__version__.split("-")[0],
            device="cpu",
            precision_used=_layer_precisions(compiled.get_runtime_model()),
            threads=int(compiled.get_property("INFERENCE_NUM_THREADS")),
        )

    def run(self, pixels: Pixels) -> Outputs:
        """One synchronous inference."""
        results = self._request(len(pixels)).infer([pixels], share_inputs=True)
        return results["boxes"], results["scores"]

    def _request(self, batch: int) -> Any:
        if batch not in self._requests:
            model = self._core.read_model(self._onnx)
            model.reshape({"images": openvino.PartialShape([batch, *_fixed(model)])})
            self._requests[batch] = self._core.compile_model(model, "CPU", self._settings()).create_infer_request()
        return self._requests[batch]

    def _settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": self._conditions.threads,
            "NUM_STREAMS": 1,
        }
        if self._conditions.exact or self.name == EXACT_FLOATS:
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        if self._conditions.exact:
            settings["LP_TRANSFORMS_MODE"] = False  # Q/DQ stay what they are instead of becoming integer kernels
            settings["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = 0  # else 1x1 convolutions quantize their input once more
        return settings


def _fixed(model: Any) -> list[int]:
    return [dimension.get_length() for dimension in list(model.input("images").partial_shape)[1:]]


def _layer_precisions(model: Any) -> str:
    kinds: Counter[str] = Counter()
    for layer in model.get_ops():
        facts = layer.get_rt_info()
        if str(facts["layerType"].astype(str)) in _WEIGHTED:
            kind = str(facts["runtimePrecision"].astype(str))
            kinds[_NAMES.get(kind, kind)] += 1
    return "+".join(name for name, _ in kinds.most_common()) or "fp32"


def open_f32(source: Source, conditions: Conditions) -> OpenVino:
    """OpenVINO held to fp32 where it would choose bf16: a fair baseline. Integer kernels stay."""
    return OpenVino(source, conditions, name=EXACT_FLOATS)
