"""What a dataset is made of: labelled pictures, and the files that hold them. No library of either is imported here."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Record:
    """One labelled picture.

    ``image`` is the encoded file as it was found, ``boxes`` (N, 4) float32 xyxy in pixels, ``labels`` (N,) int64
    indices into the manifest's classes, ``group`` what must not be split (a video, a patient), ``source`` the path
    relative to the raw dataset. ``difficult`` and ``crowd`` (N,) bool, ``truncated`` (N,) float32 0..1 and
    ``occluded`` (N,) int8 0..3 are zeros where they are not given.
    """

    name: str
    split: str
    image: bytes
    width: int
    height: int
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    difficult: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    crowd: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    truncated: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    occluded: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))
    group: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        count = len(self.labels)
        if len(self.difficult) == len(self.crowd) == len(self.truncated) == len(self.occluded) == count:
            return
        for name in ("difficult", "crowd", "truncated", "occluded"):
            given = getattr(self, name)
            if len(given) != count:
                object.__setattr__(self, name, np.zeros(count, dtype=given.dtype))


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One Parquet file of the dataset."""

    file: str
    split: str
    images: int
    boxes: int
    sha256: str
