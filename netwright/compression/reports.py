"""``pruning.json`` and ``quantization.json``: what was done to a network, layer by layer."""

from dataclasses import asdict
from typing import Any

from netwright.compression.pruning import PrunedLayer, PrunePolicy, PruningReport
from netwright.types import Architecture

THIN = 0.25  # of a layer's channels


def thinned_layers(report: PruningReport) -> list[PrunedLayer]:
    """The first layer of each group of which at most a quarter of the channels stayed, thinnest first.

    A threshold relative to the largest norm does that where one channel outweighs the rest.
    """
    firsts = {layer.group: layer for layer in reversed(report.layers)}
    thin = [layer for layer in firsts.values() if layer.channels_after <= THIN * layer.channels_before]
    return sorted(thin, key=lambda layer: (layer.channels_after / layer.channels_before, layer.group))


def pruning_as_dict(report: PruningReport, policy: PrunePolicy) -> dict[str, Any]:
    """The report as JSON. ``kept`` is what TAO calls the pruning ratio; ``removed`` is 1 - ``kept``."""
    before, after = asdict(report.before), asdict(report.after)
    kept = {name: after[name] / before[name] for name in before}
    return {
        "policy": asdict(policy),
        "before": before,
        "after": after,
        "kept": kept,
        "removed": {name: 1 - share for name, share in kept.items()},
        "layers": [asdict(layer) for layer in report.layers],
    }


def quantization_as_dict(architecture: Architecture, *, calibration: str, images: int) -> dict[str, Any]:
    """Every quantizer of ``architecture`` with its scale: ``amax / (2 ** (bits - 1) - 1)``, zero point 0."""
    quantizers = {
        name: {
            "bits": setting.bits,
            "axis": setting.axis,
            "amax": list(setting.amax),
            "scale": [amax / (2 ** (setting.bits - 1) - 1) for amax in setting.amax],
        }
        for name, setting in architecture.quantizers.items()
    }
    activations = sum(setting.axis is None for setting in architecture.quantizers.values())
    return {
        "calibration": {"method": calibration, "images": images},
        "activations": activations,
        "weights": len(quantizers) - activations,
        "quantizers": quantizers,
    }
