"""The model contract: ``model.safetensors`` beside ``architecture.json``; no pickle is written or read."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netwright.artifacts.whole_file import whole_file, write_json
from netwright.errors import UserError
from netwright.types import Architecture, InputSpec, LayerWidth, Quantizer

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = "model.safetensors"
ARCHITECTURE = "architecture.json"


def save_model_files(folder: Path, architecture: Architecture, tensors: "dict[str, Tensor]") -> None:
    """Write both files whole into ``folder``; ``tensors`` is the network's state dict."""
    from safetensors.torch import save_file

    contiguous = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    with whole_file(folder / WEIGHTS) as temporary:
        save_file(contiguous, temporary)
    write_json(folder / ARCHITECTURE, asdict(architecture))


def load_model_files(folder: Path) -> "tuple[Architecture, dict[str, Tensor]]":
    """Read both files of ``folder``. Raises UserError where one is missing or damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    architecture = load_architecture(folder)
    try:
        return architecture, load_file(folder / WEIGHTS)
    except FileNotFoundError:
        raise UserError(f"no {WEIGHTS} in {folder}: run the stage that makes it (dvc repro)") from None
    except SafetensorError as error:
        raise UserError(f"{folder / WEIGHTS} is damaged ({error}): delete the folder and run dvc repro") from None


def load_architecture(folder: Path) -> Architecture:
    """Read ``architecture.json`` alone. Raises UserError where it is missing or damaged."""
    try:
        return architecture_from_dict(json.loads((folder / ARCHITECTURE).read_text("utf-8")))
    except FileNotFoundError:
        raise UserError(f"no {ARCHITECTURE} in {folder}: run the stage that makes it (dvc repro)") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{folder / ARCHITECTURE} is damaged ({error}): delete it and run dvc repro") from None


def architecture_from_dict(value: dict[str, Any]) -> Architecture:
    """Inverse of ``dataclasses.asdict`` for an Architecture read from JSON."""
    spec = dict(value["input"])
    spec["mean"], spec["std"] = tuple(spec["mean"]), tuple(spec["std"])
    quantizers = {
        name: Quantizer(bits=row["bits"], axis=row["axis"], amax=tuple(row["amax"]))
        for name, row in value["quantizers"].items()
    }
    return Architecture(
        builder=value["builder"],
        backbone=value["backbone"],
        levels=tuple(value["levels"]),
        neck_channels=value["neck_channels"],
        classes=tuple(value["classes"]),
        input=InputSpec(**spec),
        widths={name: LayerWidth(**row) for name, row in value["widths"].items()},
        folded=value["folded"],
        quantizers=quantizers,
        box_convs=value.get("box_convs", 1),  # models from before it had one
    )
