"""What every runtime can do: load an export, run a batch, say what it really is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn

Pixels = NDArray[np.float32]  # (B, 3, H, W), raw values 0..255
Outputs = tuple[NDArray[np.float32], NDArray[np.float32]]  # boxes (B, A, 4) in input pixels, scores (B, A, C)


@dataclass(frozen=True, kw_only=True)
class RuntimeFacts:
    """``precision_used`` is what the arithmetic is done in, most of it first ("int8+fp32"); not what was asked."""

    version: str
    device: str
    precision_used: str
    threads: int


@dataclass(frozen=True, kw_only=True)
class Source:
    """One export: its ONNX file, the torch network that it was made from, and where built engines are kept."""

    onnx: Path
    network: "Callable[[], nn.Module]"
    engines: Path


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """How to run: CPU threads, "cpu" or "cuda", and the batch size to prepare for.

    ``exact`` asks for the file's own arithmetic in fp32, operator by operator: no bf16, no integer kernels, no
    rounding moved. It is what parity compares, never what is timed.
    """

    threads: int
    device: str = "cpu"
    batch: int = 1
    exact: bool = False


class Runtime(Protocol):
    """A loaded export."""

    name: str

    def describe(self) -> RuntimeFacts:
        """What runs it."""
        ...

    def run(self, pixels: Pixels) -> Outputs:
        """Boxes and scores of a batch; the arrays belong to the caller."""
        ...


class RuntimeMissingError(Exception):
    """This machine lacks the runtime: the message says what is missing and which extra to install."""
