"""What a training reads beside its values: the dataset, and weights from files. Their content goes into its key."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import save_file

from benchmarks.recipe_run import Place
from netwright.artifacts.dataset import read_manifest
from netwright.artifacts.model import ARCHITECTURE, WEIGHTS, load_model_files
from netwright.artifacts.whole_file import sha256_of, whole_file, write_json
from netwright.errors import UserError

BACKBONE = "backbone."


def inputs_of(place: Place) -> str:
    """A hash of the converted dataset's manifest, whose fingerprint is of its content, and of the backbone's file."""
    backbone = sha256_of(place.backbone) if place.backbone else ""
    return hashlib.sha256(f"{json.dumps(asdict(read_manifest(place.data)))}{backbone}".encode()).hexdigest()


def with_own_weights(inputs: str, weights: str) -> str:
    """``inputs`` and the content of the file that ``weights`` names; ``inputs`` alone where it names no file.

    Raises UserError where the file cannot be read.
    """
    if not weights.endswith(".safetensors"):
        return inputs
    file = Path(weights)
    architecture = file.parent / ARCHITECTURE  # says for which pixels and which backbone the weights are
    try:
        hashes = [sha256_of(file), sha256_of(architecture) if architecture.is_file() else ""]
    except OSError as error:
        raise UserError(f"cannot read the weight file {file} ({error.strerror}): check pretrain_init.weights") from None
    return hashlib.sha256(json.dumps([inputs, *hashes]).encode()).hexdigest()


def backbone_alone(model: Path, target: Path) -> Path:
    """Write the backbone of the model folder ``model`` to ``target``, so that heads still differ between seeds.

    Raises UserError where ``model`` is no model folder.
    """
    architecture, tensors = load_model_files(model)
    with whole_file(target / WEIGHTS) as temporary:  # save_model_files would copy tensors, which starts torch's threads
        save_file({name: tensor for name, tensor in tensors.items() if name.startswith(BACKBONE)}, temporary)
    write_json(target / ARCHITECTURE, asdict(architecture))
    return target / WEIGHTS
