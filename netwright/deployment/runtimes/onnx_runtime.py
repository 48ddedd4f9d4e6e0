"""ONNX Runtime on the CPU, or on CUDA where that is asked for and its GPU build is installed."""

import tempfile
from collections import Counter
from pathlib import Path

import onnx
import onnxruntime

from netwright.deployment.runtimes.protocol import (
    Conditions,
    Outputs,
    Pixels,
    RuntimeFacts,
    Source,
)

_INTEGER = ("QLinearConv", "ConvInteger")


class OnnxRuntime:
    """An inference session with all graph optimisations on and threads pinned."""

    name = "onnxruntime"

    def __init__(self, source: Source, conditions: Conditions) -> None:
        providers = ["CPUExecutionProvider"]
        if conditions.device == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
            providers.insert(0, "CUDAExecutionProvider")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = conditions.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # else idle workers spin on for tens of milliseconds and take a core from whatever runs next
        options.add_session_config_entry("session.force_spinning_stop", "1")
        if conditions.exact:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        with tempfile.TemporaryDirectory() as folder:
            optimised = Path(folder) / "optimised.onnx"
            options.optimized_model_filepath = str(optimised)
            self._session = onnxruntime.InferenceSession(str(source.onnx), options, providers=providers)
            self._precision = _convolution_precision(optimised)
        self._conditions = conditions

    def describe(self) -> RuntimeFacts:
        """The precision is read from the graph after optimisation: integer kernels exist there or they do not."""
        return RuntimeFacts(
            version=onnxruntime.__version__,
            device="cuda" if "CUDAExecutionProvider" in self._session.get_providers() else "cpu",
            precision_used=self._precision,
            threads=self._conditions.threads,
        )

    def run(self, pixels: Pixels) -> Outputs:
        """One session run."""
        boxes, scores = self._session.run(["boxes", "scores"], {"images": pixels})
        return boxes, scores


def _convolution_precision(optimised: Path) -> str:
    kinds = Counter(
        "int8" if node.op_type in _INTEGER else "fp32"
        for node in onnx.load(optimised, load_external_data=False).graph.node
        if "Conv" in node.op_type
    )
    return "+".join(name for name, _ in kinds.most_common()) or "fp32"
