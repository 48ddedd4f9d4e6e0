"""What every dataset format is read into, before anything is checked."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class RawBox(NamedTuple):
    """A box as its file states it: class name and (xmin, ymin, xmax, ymax) in pixels, unchecked, NaN included.

    ``difficult`` and ``truncated`` (0..1) are Pascal VOC's and KITTI's, ``occluded`` (0..3) KITTI's, ``crowd`` is
    COCO's ``iscrowd``: a region of many objects, not one.
    """

    label: str
    corners: tuple[float, float, float, float]
    difficult: bool = False
    crowd: bool = False
    truncated: float = 0.0
    occluded: int = 0


@dataclass(frozen=True, kw_only=True)
class RawLabels:
    """One picture's boxes; ``declared_size`` is the (width, height) that the label file claims, if any."""

    boxes: tuple[RawBox, ...]
    declared_size: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class RawPicture:
    """A labelled picture before the checks.

    ``name``: the picture's path below the pictures' folder, "/" between folders, no extension. ``content``: the
    encoded file, or where it lies (or should lie). ``labels`` reads and parses the label file, None where the
    picture has none; it can be pickled, for it runs in worker processes, and raises UserError for a file that cannot
    be parsed. ``state`` changes whenever the labels do. ``source``: the label's path inside the raw dataset.
    ``split`` and ``group`` (what no split may cut: a video, a patient) are "" where the dataset does not say.
    """

    name: str
    content: bytes | Path
    labels: Callable[[], RawLabels] | None
    state: str
    source: str
    split: str = ""
    group: str = ""

    def read(self) -> bytes:
        """The encoded picture."""
        return self.content if isinstance(self.content, bytes) else self.content.read_bytes()


@dataclass(frozen=True, kw_only=True)
class RawDataset:
    """``count`` pictures, read or drawn anew on each iteration; ``notes`` say in a line each what was decided and why.

    ``classes`` are the names in the format's declared order, or () where only the labels tell them.
    """

    format: str
    classes: tuple[str, ...]
    pictures: Iterable[RawPicture]
    count: int
    notes: tuple[str, ...] = ()
