"""Starting a detector from known weights, tensor by tensor, with an account of what matched."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from netwright.errors import UserError
from netwright.models.build import build_network
from netwright.models.catalog import RANDOM, WeightSource, find_weights
from netwright.models.detector import Detector

BODY = "backbone.body."


@dataclass(frozen=True, kw_only=True)
class TensorReport:
    """One tensor of the network: ``matched`` (copied from ``found`` in the file), or else left as drawn by the seed.

    ``missing``: the file has no such name; ``shape``: it has, in another shape.
    """

    name: str
    shape: tuple[int, ...]
    status: Literal["matched", "missing", "shape"]
    found: str | None = None
    found_shape: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class InitReport:
    """What ``init.json`` says: the weights' origin and statistics, and every tensor. ``unused`` are the file's."""

    weights: str
    source: str
    licence: str
    sha256: str | None
    backbone: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    seed: int
    counts: dict[str, int]
    tensors: tuple[TensorReport, ...]
    unused: tuple[str, ...]


def initialise(network: Detector, weights: str, seed: int) -> InitReport:
    """Fill ``network`` in place: drawn from ``seed``, then overwritten wherever ``weights`` has the tensor.

    ``weights`` is what ``find_weights`` takes. Raises UserError where a tensor of the backbone finds no match:
    a half-loaded backbone is of no use to anybody.
    """
    source = find_weights(weights, network.architecture.backbone)
    loaded = source.read()
    state = _drawn(network, seed)
    joined = _joined(loaded.tensors)
    reports = [_match(name, tensor, loaded.tensors, _aliases(network, name, joined)) for name, tensor in state.items()]
    if weights != RANDOM:
        _check_backbone(reports, source)
    for report in reports:
        if report.status == "matched" and report.found is not None:
            state[report.name].copy_(loaded.tensors[report.found])
    network.load_state_dict(state)
    return InitReport(
        weights=source.name,
        source=source.source,
        licence=source.licence,
        sha256=loaded.sha256,
        backbone=source.backbone,
        mean=source.mean,
        std=source.std,
        seed=seed,
        counts={key: Counter(row.status for row in reports)[key] for key in ("matched", "missing", "shape")},
        tensors=tuple(reports),
        unused=tuple(sorted(set(loaded.tensors) - {row.found for row in reports})),
    )


def _drawn(network: Detector, seed: int) -> dict[str, Tensor]:
    """A state dict of fresh random weights that depends on ``seed`` alone and leaves the global generator alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return {name: tensor.clone() for name, tensor in build_network(network.architecture).state_dict().items()}


def _aliases(network: Detector, name: str, joined: dict[str, str]) -> list[str]:
    """Names under which a file may hold the tensor: the detector's own, then timm's for a tensor of the backbone."""
    if not name.startswith(BODY):
        return [name]
    own = name.removeprefix(BODY)
    plain = _without_padding(network.backbone.body, own)
    whole = joined.get(plain.replace(".", "_"), plain)
    return list(dict.fromkeys((name, own, plain, whole)))


def _joined(tensors: Iterable[str]) -> dict[str, str]:
    """The file's names by what ``features_only`` may make of them: it joins paths, "stages.0" to "stages_0"."""
    count = Counter(name.replace(".", "_") for name in tensors)
    return {known: name for name in tensors if count[known := name.replace(".", "_")] == 1}


def _without_padding(body: nn.Module, name: str) -> str:
    """Timm's name of a tensor whose convolution ``make_padding_static`` put behind a ZeroPad2d."""
    path, _, part = name.rpartition(".")
    parent, _, child = path.rpartition(".")
    holder = body.get_submodule(parent)
    padded = isinstance(holder, nn.Sequential) and child == "1" and isinstance(holder[0], nn.ZeroPad2d)
    return f"{parent}.{part}" if padded else name


def _match(name: str, tensor: Tensor, tensors: dict[str, Tensor], aliases: list[str]) -> TensorReport:
    shape = tuple(tensor.shape)
    for alias in aliases:
        if alias in tensors:
            other = tuple(tensors[alias].shape)
            status: Literal["matched", "shape"] = "matched" if other == shape else "shape"
            return TensorReport(name=name, shape=shape, status=status, found=alias, found_shape=other)
    return TensorReport(name=name, shape=shape, status="missing")


def _check_backbone(reports: list[TensorReport], source: WeightSource) -> None:
    wrong = [
        row
        for row in reports
        if row.name.startswith(BODY) and row.status != "matched" and not row.name.endswith("num_batches_tracked")
    ]
    if wrong:
        first = wrong[0]
        found = f"has shape {list(first.found_shape)} there" if first.found_shape is not None else "is missing there"
        raise UserError(
            f"pretrain_init.weights {source.name!r} does not fit the backbone {source.backbone}: {len(wrong)} of its "
            f"tensors have no match, the first, {first.name} of shape {list(first.shape)}, {found}: "
            "set model.backbone to the network that the weights belong to, or pretrain_init.weights=random"
        )
