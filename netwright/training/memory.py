"""What is said, and what may be tried, where memory does not hold a step."""

import contextlib
from collections.abc import Iterator

import torch

from netwright.errors import UserError
from netwright.training.recipe import Recipe


class TooLittleMemoryError(UserError):
    """The device's memory does not hold a step of the first epoch: a smaller batch may train."""


@contextlib.contextmanager
def enough_memory(recipe: Recipe, *, epochs: int) -> Iterator[None]:
    """Steps after ``epochs`` whole ones: torch's error becomes a line that says what to do.

    A step that has fitted for whole epochs is no reason to begin anew, so only the first raises TooLittleMemoryError.
    """
    try:
        yield
    except RuntimeError as error:  # torch's OutOfMemoryError is one
        if (memory := _exhausted(error)) is None:
            raise
        advice = " or ".join(_advice(recipe))
        if epochs:
            raise UserError(
                f"{memory} ran out in epoch {epochs + 1} with batches of {recipe.batch_size}, which had fitted "
                f"before: see what else uses it, then give the same command, which goes on after epoch {epochs}; "
                f"where it fails again, {advice}"
            ) from None
        raise TooLittleMemoryError(
            f"{memory} does not hold a step with batches of {recipe.batch_size}: {advice}"
        ) from None


def _exhausted(error: RuntimeError) -> str | None:
    """Whose memory has run out, in words; None where ``error`` is another."""
    if isinstance(error, torch.OutOfMemoryError):
        return "the GPU's memory"
    return "this machine's memory" if "DefaultCPUAllocator: can't allocate memory" in str(error) else None


def _advice(recipe: Recipe) -> Iterator[str]:
    if recipe.batch_size > 1:
        yield f"set train.batch_size to {recipe.batch_size // 2}"
        if not recipe.auto_batch:
            yield "train.auto_batch to true (for one process)"
    if recipe.precision == "fp32":
        yield "train.precision to bf16"
    yield "shrink the input (model.height, model.width)"
