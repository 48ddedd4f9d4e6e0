"""The pictures of a split as the network's raw pixels, drawn by threads a block at a time."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import UnidentifiedImageError

from netwright.artifacts.dataset import Record, read_records
from netwright.data.feeding.preprocess import draw_picture
from netwright.data.feeding.worker_pool import worker_count
from netwright.errors import UserError
from netwright.types import InputSpec

_BLOCK_ROWS, _BLOCK_BYTES = 64, 64 << 20  # a block ends at the first of the two, whatever the dataset's size


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """What is to be drawn: the pictures ``names`` of ``split`` of the dataset in ``folder``, as ``spec`` says.

    ``workers`` is the number of threads (Pillow decodes without holding Python's lock); 0: one for each processor.
    """

    folder: Path
    split: str
    spec: InputSpec
    names: tuple[str, ...]
    workers: int = 0

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, 3, H, W): planes, not interleaved colours, since that is four times faster to fill (see loader_speed)."""
        return len(self.names), 3, self.spec.height, self.spec.width

    @property
    def size(self) -> int:
        """Bytes of all pixels."""
        return prod(self.shape)

    def blocks(self) -> Iterator[tuple[list[int], NDArray[np.uint8]]]:
        """Yield places in ``names`` and the pixels (n, 3, H, W) of those pictures, in the order in which they lie.

        The next block overwrites the memory.

        Raises UserError for a picture that cannot be decoded or is not of the size that the dataset says.
        """
        rows = min(len(self.names), _BLOCK_ROWS, max(1, _BLOCK_BYTES // prod(self.shape[1:])))
        pixels = np.empty((rows, *self.shape[1:]), dtype=np.uint8)
        places = {name: place for place, name in enumerate(self.names)}
        stored = (record for record in read_records(self.folder, self.split) if record.name in places)
        records = islice(stored, len(places))  # reads no shard beyond the last one that is needed
        with ThreadPoolExecutor(worker_count(self.workers)) as pool:
            while block := list(islice(records, rows)):
                list(pool.map(self._draw, block, pixels))
                yield [places[record.name] for record in block], pixels[: len(block)]

    def _draw(self, record: Record, pixels: NDArray[np.uint8]) -> None:
        try:
            drawn = draw_picture(record.image, self.spec, pixels)
        except UnidentifiedImageError:  # its own message holds a memory address
            raise self._damaged(record, "is no picture") from None
        except (OSError, ValueError, SyntaxError) as error:
            raise self._damaged(record, f"cannot be decoded ({error})") from None
        if (drawn.width, drawn.height) != (record.width, record.height):
            found = f"is {drawn.width} x {drawn.height} pixels where {record.width} x {record.height} are declared"
            raise self._damaged(record, found)

    def _damaged(self, record: Record, fault: str) -> UserError:
        return UserError(
            f"{record.name!r} of {self.folder} {fault}: delete that folder and run dvc repro convert",
        )
