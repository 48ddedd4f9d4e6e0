"""Reading third-party weight files: a packaged .pth whose hash is known, timm's hub, a local safetensors file."""

import hashlib
import importlib.util
import io
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from netwright.errors import UserError


class LoadedTensors(NamedTuple):
    """Tensors by name, and the hex SHA-256 of the file that they came from (None: from no file)."""

    tensors: dict[str, Tensor]
    sha256: str | None


def read_packaged_file(package: str, file: str, *, distribution: str, sha256: str) -> LoadedTensors:
    """Tensors of a ``.pth`` inside an installed package, unpickled only once its bytes have the declared hash.

    The package's code is not run. Raises UserError where it is not installed or the file is another one.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"package {distribution} is not installed: pip install {distribution}")
    content = _content(Path(spec.submodule_search_locations[0]) / file)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise UserError(
            f"{file} of {distribution} has sha256 {found}, the catalog says {sha256}: reinstall {distribution}"
        )
    tensors: dict[str, Tensor] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return LoadedTensors(tensors, found)


def read_safetensors(path: Path) -> LoadedTensors:
    """Tensors of a local safetensors file. Raises UserError where it is missing or damaged."""
    content = _content(path)
    try:
        return LoadedTensors(load(content), hashlib.sha256(content).hexdigest())
    except SafetensorError as error:
        raise UserError(f"{path} is no safetensors file ({error}): choose another for pretrain_init.weights") from None


def read_hub_file(repository: str) -> LoadedTensors:
    """Tensors of ``model.safetensors`` in a hub repository, from the hub's local cache where it is there already.

    Raises UserError where the hub cannot be reached.
    """
    from huggingface_hub import hf_hub_download

    try:
        path = hf_hub_download(repository, "model.safetensors")
    except (OSError, ValueError) as error:  # the hub client's own errors are kinds of these
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UserError(
            f"cannot get model.safetensors of {repository} from the hub ({reason}): connect this machine, or copy the "
            "file here by other means and set pretrain_init.weights to its path"
        ) from None
    return read_safetensors(Path(path))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read the weight file {path} ({error.strerror}): check pretrain_init.weights") from None
