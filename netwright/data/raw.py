"""What every dataset format is read into, before anything is checked."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class RawBox:
    """A box as its file states it: class name and (xmin, ymin, xmax, ymax) in pixels, unchecked, NaN included."""

    label: str
    corners: tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class RawPicture:
    """A labelled picture before the checks.

    ``content`` is the encoded file or where it lies; ``declared_size`` the (width, height) that the label file
    claims, if any; ``source`` the label's or picture's path inside the raw dataset; ``group`` what no split may cut.
    """

    name: str
    split: str
    content: bytes | Path
    boxes: tuple[RawBox, ...]
    source: str
    declared_size: tuple[int, int] | None = None
    group: str = ""

    def read(self) -> bytes:
        """The encoded picture."""
        return self.content if isinstance(self.content, bytes) else self.content.read_bytes()


@dataclass(frozen=True, kw_only=True)
class RawDataset:
    """``count`` pictures, read or drawn while iterating; ``notes`` say in one line each what was decided and why."""

    format: str
    classes: tuple[str, ...]
    pictures: Iterable[RawPicture]
    count: int
    notes: tuple[str, ...] = ()
