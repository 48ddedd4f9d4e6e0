"""The detector's layers as a torch.fx graph, up to its raw predictions."""

from dataclasses import fields

from torch import Tensor, fx, nn

from netwright.errors import UserError
from netwright.models.detector import Detector, RawPredictions

PREFIX = "network"


class RawOutputs(nn.Module):
    """``predict_raw`` as a module that gives plain tensors, in the order of RawPredictions' fields."""

    def __init__(self, network: Detector) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Raw predictions for pixels (B, 3, H, W), float 0..255."""
        raw = self.network.predict_raw(pixels)
        return tuple(getattr(raw, field.name) for field in fields(RawPredictions))


def trace_raw(network: Detector) -> fx.Graph:
    """The graph of ``RawOutputs``, its module paths relative to ``network``.

    Raises UserError for a backbone whose control flow depends on values.
    """
    try:
        graph = fx.Tracer().trace(RawOutputs(network))
    except (fx.proxy.TraceError, TypeError) as error:
        name = network.architecture.backbone
        raise UserError(f"model.backbone {name} cannot be traced ({error}): choose another") from None
    for node in graph.nodes:
        if node.op in ("call_module", "get_attr"):
            node.target = str(node.target).removeprefix(f"{PREFIX}.")
    return graph
