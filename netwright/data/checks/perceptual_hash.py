"""A 64-bit perceptual hash: pictures that look the same have hashes that differ in few bits.

The DCT hash of Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010): grey, 32 x 32
pixels, its 8 x 8 lowest frequencies against their median. How well it tells copies is measured in audit.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FLAT = 0  # the hash of a picture without structure: it says nothing, and is compared with nothing
_SIDE, _KEPT = 32, 8
# rounding to whole grey values moves a frequency by up to about 1: where fewer than half are above, bits are noise
_NOISE, _LEAST_TELLING = 1.0, 32


def _cosines() -> NDArray[np.float64]:
    """(8, 32): the orthonormal DCT-II's lowest frequencies."""
    places, frequencies = np.arange(_SIDE), np.arange(_KEPT)
    waves: NDArray[np.float64] = np.cos(np.pi * (2 * places + 1) * frequencies[:, None] / (2 * _SIDE)) * np.sqrt(
        2 / _SIDE
    )
    waves[0] /= np.sqrt(2)
    return waves


_COSINES = _cosines()


def perceptual_hash(picture: Image.Image) -> int:
    """64 bits (0..2**64-1) of an upright ``picture`` in any mode; FLAT (0) where it is one colour or a gradient."""
    small = picture.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    low = (_COSINES @ np.asarray(small, dtype=np.float64) @ _COSINES.T).reshape(-1)
    if np.count_nonzero(np.abs(low[1:]) >= _NOISE) < _LEAST_TELLING:
        return FLAT
    return int.from_bytes(np.packbits(low > np.median(low)).tobytes(), "big")
