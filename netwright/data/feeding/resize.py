"""A picture scaled to the size in which the network sees it: the same for training, evaluation and every runtime."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from torch import Tensor

_SPARE = 1.5  # times the wanted size: what the decoder leaves for the filter to scale


def reduce_decoding(picture: Image.Image, size: tuple[int, int]) -> int:
    """Have a JPEG that is opened and not yet loaded decoded in a half, quarter or eighth; return 2, 4, 8, else 1.

    Only where that leaves ``_SPARE`` times ``size`` (width, height, as the file's pixels lie) and divides both sides
    without a rest, so that no box moves. Other formats, and JPEG scaled less, are left alone.
    """
    for factor in (8, 4, 2):
        width, height = picture.width // factor, picture.height // factor
        whole = picture.size == (width * factor, height * factor)
        if whole and width >= _SPARE * size[0] and height >= _SPARE * size[1]:
            return factor if picture.draft(None, (width, height)) else 1
    return 1


def sized_pixels(picture: Image.Image, size: tuple[int, int]) -> NDArray[np.uint8]:
    """(H, W, 3) of an RGB picture, scaled to ``size`` (width, height) where it has another: antialiased, bilinear.

    Pillow's filter and integer arithmetic, computed by torch, whose vector instructions make it several times faster.
    Few values differ from Pillow's own, by 1 or, where a picture grows, 2 of 255.
    """
    pixels = _memory(picture)
    if picture.size == size:
        scaled = pixels
    else:
        from torch.nn.functional import interpolate  # every stage that feeds pictures has it

        planes = pixels.permute(2, 0, 1)[None]
        scaled = interpolate(planes, size=size[::-1], mode="bilinear", antialias=True)[0].permute(1, 2, 0)
    values: NDArray[np.uint8] = scaled.numpy()[..., :3]  # Pillow keeps a fourth byte unused
    return values


def _memory(picture: Image.Image) -> "Tensor":
    """(H, W, 3 or 4) of an RGB picture: Pillow's own memory, through Arrow, where it lies in one piece; else a copy."""
    from torch import from_numpy
    from torch.utils.dlpack import from_dlpack

    try:
        memory = pa.array(picture)
    except ValueError:  # a picture of many megabytes is kept in several pieces
        return from_numpy(np.array(picture))
    return from_dlpack(memory.values).view(picture.height, picture.width, 4)
