"""How the numbers of a certificate are made, and what its author must say beside them."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Method:
    """``metrics`` by name (see netwright.certificates.metrics); the bootstrap's resamples, seed and confidence 0..1."""

    metrics: tuple[str, ...]
    resamples: int
    seed: int
    confidence: float


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What no file tells: the dataset's licence, and what the model must not be trusted with."""

    dataset_licence: str
    limitations: tuple[str, ...]
