"""A 64-bit perceptual hash: pictures that look the same have hashes that differ in few bits.

The DCT hash of Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010): grey, 32 x 32
pixels, its lowest frequencies against their median.
"""

import numpy as np
from PIL import Image
from scipy.fft import dctn

FLAT = 0  # the hash of a picture without structure: it says nothing, and is compared with nothing
_SIDE, _KEPT = 32, 8
_LEAST_CONTRAST = 2.0  # standard deviation of the 32 x 32 grey values, 0..255


def perceptual_hash(picture: Image.Image) -> int:
    """64 bits, 0..2**64-1, of an upright ``picture`` in any mode; FLAT (0) where it is one colour, or nearly so."""
    small = picture.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    grey = np.asarray(small, dtype=np.float64)
    if grey.std() < _LEAST_CONTRAST:
        return FLAT
    low = dctn(grey, norm="ortho")[:_KEPT, :_KEPT]
    bits = (low > np.median(low)).reshape(-1)
    return int.from_bytes(np.packbits(bits).tobytes(), "big")
