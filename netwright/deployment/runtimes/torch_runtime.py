"""The network itself, as trained: the reference of every export."""

import torch

from netwright.deployment.runtimes.protocol import (
    Conditions,
    Outputs,
    Pixels,
    RuntimeFacts,
    RuntimeMissingError,
    Source,
)


class TorchRuntime:
    """The torch module in fp32, fake quantizers included; its weights lie channels-last, as in training."""

    name = "torch"
    dtype = torch.float32

    def __init__(self, source: Source, conditions: Conditions) -> None:
        if conditions.device == "cuda" and not torch.cuda.is_available():
            raise RuntimeMissingError("torch finds no CUDA device here: set the device to cpu")
        self._conditions = conditions
        network = source.network().eval().to(conditions.device, self.dtype)
        self._network = network.to(memory_format=torch.channels_last)

    def describe(self) -> RuntimeFacts:
        """Torch computes what the modules say: fp32, and fp32 rounded to the quantizers' grid where there are any."""
        return RuntimeFacts(
            version=torch.__version__,
            device=self._conditions.device,
            precision_used="fp32",
            threads=self._conditions.threads,
        )

    def run(self, pixels: Pixels) -> Outputs:
        """One forward pass without gradients."""
        if torch.get_num_threads() != self._conditions.threads:
            torch.set_num_threads(self._conditions.threads)
        with torch.inference_mode():
            boxes, scores = self._network(torch.from_numpy(pixels).to(self._conditions.device, self.dtype))
        return boxes.float().cpu().numpy(), scores.float().cpu().numpy()


class DoubleTorchRuntime(TorchRuntime):
    """The same in float64: its distance from TorchRuntime is what rounding alone does to this network."""

    name = "torch_float64"
    dtype = torch.float64
