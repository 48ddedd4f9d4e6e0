"""An Architecture to a network, with every layer at the width that the file says."""

from collections.abc import Container, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from netwright.errors import UserError
from netwright.models.detector import Detector
from netwright.types import Architecture, LayerWidth

BUILDERS = {"detector": Detector}


def build_network(architecture: Architecture) -> Detector:
    """The network of ``architecture`` with random weights; pruned widths applied, quantizers not (see compression).

    Raises UserError for an unknown builder or widths that name layers the builder does not make.
    """
    if architecture.builder not in BUILDERS:
        raise UserError(f"architecture.json asks for builder {architecture.builder!r}: this version has {[*BUILDERS]}")
    network = BUILDERS[architecture.builder](architecture)
    for name, width in architecture.widths.items():
        _resize(network, name, width)
    return network


def put_tensors(
    network: nn.Module, tensors: Mapping[str, Tensor], folder: Path, *, unsaved: Container[str] = ()
) -> None:
    """Give ``network`` the ``tensors`` that were read from ``folder``; its own that ``unsaved`` names stay.

    Raises UserError for the first by name that is missing, too many or of another shape.
    """
    wanted = {name: tensor.shape for name, tensor in network.state_dict().items() if name not in unsaved}
    for name in sorted(wanted.keys() | tensors.keys()):
        found = tensors[name].shape if name in tensors else None
        if wanted.get(name) != found:
            raise UserError(
                f"{folder}: tensor {name!r} of the weights is {_shape(found)}, and architecture.json wants "
                f"{_shape(wanted.get(name))}: run dvc repro"
            )
    network.load_state_dict(dict(tensors), strict=False)


def widths_of(network: nn.Module) -> dict[str, LayerWidth]:
    """The widths of every convolution and batch norm of ``network``, by module path."""
    widths: dict[str, LayerWidth] = {}
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            widths[name] = LayerWidth(inputs=module.in_channels, outputs=module.out_channels, groups=module.groups)
        elif isinstance(module, nn.BatchNorm2d):
            widths[name] = LayerWidth(inputs=module.num_features, outputs=module.num_features)
    return widths


def _shape(shape: torch.Size | None) -> str:
    return "missing" if shape is None else str(list(shape))


def _resize(network: nn.Module, name: str, width: LayerWidth) -> None:
    try:
        module = network.get_submodule(name)
    except AttributeError:
        raise UserError(f"architecture.json names layer {name!r}, which its builder does not make") from None
    if isinstance(module, nn.Conv2d):
        module.in_channels, module.out_channels, module.groups = width.inputs, width.outputs, width.groups
        shape = (width.outputs, width.inputs // width.groups, *module.kernel_size)
        module.weight = nn.Parameter(module.weight.new_empty(shape))
        if module.bias is not None:
            module.bias = nn.Parameter(module.bias.new_empty(width.outputs))
        module.reset_parameters()
    elif isinstance(module, nn.BatchNorm2d):
        module.num_features = width.outputs
        for part in ("weight", "bias"):
            setattr(module, part, nn.Parameter(module.weight.new_empty(width.outputs)))
        for part in ("running_mean", "running_var"):
            setattr(module, part, module.weight.new_empty(width.outputs))
        nn.BatchNorm2d.reset_parameters(module)
    else:
        raise UserError(f"architecture.json gives a width to {name!r}, a {type(module).__name__} without channels")
