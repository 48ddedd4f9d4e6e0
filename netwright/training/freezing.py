"""Layers that do not learn, and batch norms that cannot."""

import contextlib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from torch import nn

from netwright.errors import UserError
from netwright.models.detector import Detector


def freeze(network: Detector, patterns: Sequence[str]) -> None:
    """Take the gradient from every parameter whose name (``backbone.body.conv1.weight``) matches a glob pattern.

    Raises UserError for a pattern that matches nothing, and where nothing would be left to learn. A folded network has
    no batch norms, so there a pattern may match nothing.
    """
    names = [name for name, _ in network.named_parameters()]
    for pattern in patterns:
        if not network.architecture.folded and not any(fnmatchcase(name, pattern) for name in names):
            raise UserError(f"train.freeze has {pattern!r}, and no parameter is called so: they begin with {names[0]}")
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(not any(fnmatchcase(name, pattern) for pattern in patterns))
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise UserError(f"train.freeze {list(patterns)} leaves nothing to learn: name fewer layers")


def hold_norms(network: nn.Module, *, all_of_them: bool) -> None:
    """Let batch norms use their running statistics unchanged: all, or those whose weights are frozen."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and (all_of_them or not module.weight.requires_grad):
            module.eval()


@contextlib.contextmanager
def enough_to_normalise() -> Iterator[None]:
    """A step of one picture: what torch says of a batch norm over pooled maps becomes a line that says what to do."""
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise UserError(
            "a step has a single picture, and the backbone has a batch norm over pooled maps, which then has nothing "
            "to normalise: set train.batch_size to 2 or more for each process, or train.freeze_norms to true"
        ) from None
