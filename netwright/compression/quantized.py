"""Model folders of every kind: plain, pruned, folded and fake-quantized networks from and to their two files.

No modelopt state is stored or restored: it would be a pickle. ``architecture.json`` names every quantizer with its
range; the placement follows from the network itself.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from netwright.artifacts.model import load_model_files, save_model_files
from netwright.compression.folding import fold_batch_norms
from netwright.errors import UserError
from netwright.models.build import build_network, put_tensors
from netwright.models.detector import Detector
from netwright.types import Architecture, Quantizer

if TYPE_CHECKING:
    from netwright.compression.fake_quant import QuantizedDetector

_RANGE = "._amax"  # ranges belong to architecture.json


def load_network(folder: Path) -> Detector:
    """The network of a model folder in evaluation mode on the CPU; outputs equal those of the saved one bit by bit.

    modelopt is imported for fake-quantized networks only. Raises UserError for missing or damaged files, and for
    tensors or quantizers that do not fit the architecture.
    """
    architecture, tensors = load_model_files(folder)
    network = build_network(replace(architecture, folded=False, quantizers={}))
    if architecture.folded:
        network = fold_batch_norms(network)  # the values come from the file
    if architecture.quantizers:
        network = _with_quantizers(network, architecture, folder)
    ranges = {name for name in network.state_dict() if name.endswith(_RANGE)}
    put_tensors(network, tensors, folder, unsaved=ranges)
    network.architecture = architecture
    return network.eval()


def save_network(folder: Path, network: Detector) -> None:
    """Write ``network`` with its architecture, quantizers included, as a model folder."""
    tensors = {name: tensor for name, tensor in network.state_dict().items() if not name.endswith(_RANGE)}
    save_model_files(folder, network.architecture, tensors)


def record_quantizers(network: "QuantizedDetector") -> None:
    """Freeze the weights' ranges and write all ranges into ``network.architecture``."""
    network.freeze_weight_ranges()
    quantizers = {
        name: Quantizer(bits=module.num_bits, axis=module.axis, amax=tuple(module.amax.float().flatten().tolist()))
        for name, module in sorted(network.quantizers().items())
    }
    network.architecture = replace(network.architecture, quantizers=quantizers)


def _with_quantizers(folded: Detector, architecture: Architecture, folder: Path) -> "QuantizedDetector":
    from netwright.compression.fake_quant import QuantizedDetector

    network = QuantizedDetector(folded)
    modules = network.quantizers()
    if wrong := set(modules) ^ set(architecture.quantizers):
        raise UserError(f"{folder}: quantizer {min(wrong)!r} is in file or network alone: run dvc repro qat")
    for name, setting in architecture.quantizers.items():
        amax = torch.tensor(setting.amax, dtype=torch.float32)
        modules[name].amax = amax.reshape(()) if setting.axis is None else amax.reshape(-1, 1, 1, 1)
    return network
