"""Dividing pictures between the splits where a dataset brings no split files of its own."""

import hashlib

SHARES: dict[str, float] = {"train": 0.7, "val": 0.15, "test": 0.15}


def split_by_hash(name: str, *, seed: int, shares: dict[str, float] = SHARES) -> str:
    """Choose a split for ``name`` from ``shares`` (summing to 1); the same for ever, whatever else is added."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    for split, share in shares.items():
        place -= share
        if place < 0:
            return split
    return next(reversed(shares))
