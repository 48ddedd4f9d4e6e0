"""How far a runtime's tensors may lie from its reference's."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """Largest difference: absolute, in pixels of boxes and in scores, or relative. One of the two is enough.

    ``share`` of each output's elements, over all pictures together, must keep to it; None: every element.
    """

    atol: dict[str, float]
    rtol: float = 0.0
    share: dict[str, float] | None = None

    def __str__(self) -> str:
        if self.share is None:
            return "every element"
        return ", ".join(f"{share:.1%} of {output}" for output, share in self.share.items())


def exact_tolerance(atol: float, rtol: float) -> Tolerance:
    """For fp32: every element."""
    return Tolerance(atol={"boxes": atol, "scores": atol}, rtol=rtol)


# A fault in the coarsest of three levels alone touches 5 % of the boxes; most scores are of cells that see nothing.
SHARE = {"boxes": 0.97, "scores": 0.999}

# In INT8 a value on the edge of a step may round either way, and in a deep network that travels far: the fake-quantized
# network in float32 and in float64 then differ, by 0.41 pixels and 0.012 at these shares on EfficientNet-Lite0 (BCCD),
# by 0 and 3e-7 on ResNet-10-T (digits). A runtime may differ by twice as much, and by these floors. Where a network
# rounds as calmly as the second, one of its 27 activation scales doubled moves boxes by at least 0.1 pixels or, in the
# class branch, scores by 3e-5, and ONNX Runtime's row catches it; OpenVINO in fp32 rounds otherwise (0.16 and 3e-4),
# and its row catches what is coarser, such as a layer whose channels have each other's scales.
NOISE_HEADROOM = 2.0
_FLOORS = {"onnxruntime": {"boxes": 0.05, "scores": 1e-5}}
_FLOOR_ELSEWHERE = {"boxes": 0.5, "scores": 0.02}


def int8_tolerance(runtime: str, noise: Mapping[str, float]) -> Tolerance:
    """What INT8 tensors of ``runtime`` may differ by from the fake-quantized torch network's.

    ``noise`` is, by output, what rounding alone moves it by at SHARE.
    """
    floors = _FLOORS.get(runtime, _FLOOR_ELSEWHERE)
    return Tolerance(
        atol={output: max(floor, NOISE_HEADROOM * noise[output]) for output, floor in floors.items()}, share=SHARE
    )
