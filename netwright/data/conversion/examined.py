"""A picture after its checks: what is known of it, and what was found."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Offence:
    """One thing that a rule found: ``box`` is the offending box as written, or None where the picture offends.

    ``action`` is what was done: keep, clip, drop (fail never gets this far).
    """

    rule: str
    name: str
    label: str | None
    box: tuple[float, float, float, float] | None
    reason: str
    action: str = "drop"


@dataclass(frozen=True, kw_only=True)
class Examined:
    """A picture and its usable boxes.

    ``width`` and ``height`` are upright pixels (0 where unreadable); ``sha256`` (hex) is of the encoded file,
    ``phash`` a 64-bit perceptual hash (see audit); ``boxes`` (n, 4) float32 xyxy in pixels, inside the picture;
    ``labels`` n class names, mapped; ``difficult`` and ``crowd`` (n,) bool, ``truncated`` (n,) float32 0..1,
    ``occluded`` (n,) int8 0..3. ``kept`` is False where the whole picture is dropped. ``class_counts`` says what the
    class mapping did: (class in the source, class here or None, boxes as read); see class_mapping.
    """

    name: str
    source: str
    split: str
    group: str
    width: int
    height: int
    sha256: str
    phash: int
    boxes: NDArray[np.float32]
    labels: tuple[str, ...]
    difficult: NDArray[np.bool_]
    crowd: NDArray[np.bool_]
    truncated: NDArray[np.float32]
    occluded: NDArray[np.int8]
    offences: tuple[Offence, ...]
    kept: bool = True
    class_counts: tuple[tuple[str, str | None, int], ...] = ()
