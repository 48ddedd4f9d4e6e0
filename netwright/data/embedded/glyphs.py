"""The source glyphs: scikit-learn's handwritten digits, divided between the splits before any scene is drawn."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netwright.types import SPLITS

SHARES = (0.6, 0.2, 0.2)  # of the glyphs of each class, in the order of SPLITS
CLASSES = tuple("0123456789")


@dataclass(frozen=True, kw_only=True)
class Glyphs:
    """``images`` (G, 8, 8) float32 ink 0..1, ``labels`` (G,) int64 0..9, ``indices`` per split into both."""

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    indices: dict[str, NDArray[np.int64]]


def load_glyphs(seed: int) -> Glyphs:
    """Load the 1,797 glyphs that ship inside scikit-learn (UCI optdigits, CC BY 4.0) and split them."""
    from sklearn.datasets import load_digits  # here: importing it costs a second

    digits = load_digits()
    labels = digits.target.astype(np.int64)
    return Glyphs(
        images=(digits.images / 16).astype(np.float32), labels=labels, indices=split_glyphs(labels, seed=seed)
    )


def split_glyphs(labels: NDArray[np.int64], *, seed: int) -> dict[str, NDArray[np.int64]]:
    """Divide the indices of ``labels`` (G,) between the splits, class by class, each index going to one split."""
    rng = np.random.Generator(np.random.PCG64(seed))
    parts: dict[str, list[NDArray[np.int64]]] = {split: [] for split in SPLITS}
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        cuts = np.round(np.cumsum(SHARES[:-1]) * len(members)).astype(int)
        for split, part in zip(SPLITS, np.split(members, cuts), strict=True):
            parts[split].append(part)
    return {split: np.sort(np.concatenate(part)) for split, part in parts.items()}
