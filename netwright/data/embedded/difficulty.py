"""Every number that makes the digits scenes easy or hard, in one place."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Difficulty:
    """Lengths are pixels of a scene; contrasts and noise are luma differences on a 0..1 scale; shares are 0..1.

    ``contrast_shape`` and ``side_shape`` are the two parameters of a beta distribution between the bounds: most
    digits are clear, a tail is small or faint.
    """

    digits: tuple[int, int] = (3, 12)
    side: tuple[int, int] = (16, 96)  # longer side of a digit's box
    side_shape: tuple[float, float] = (2.0, 2.0)
    contrast: tuple[float, float] = (0.2, 0.9)
    contrast_shape: tuple[float, float] = (2.2, 1.6)
    chroma: float = 0.8  # 0: grey ink, 1: as colourful as the ink's luma allows
    rotation: float = 0.2  # radians, either way
    shear: float = 0.2
    max_iou: float = 0.3  # between the boxes of any two digits
    max_cover: float = 0.5  # of the smaller box of two
    empty: float = 0.05  # share of scenes without a digit
    clutter: tuple[int, int] = (1, 5)  # pieces in a scene
    clutter_contrast: float = 0.3
    texture: float = 0.07  # luma amplitude of the background's waves and patches
    noise: tuple[float, float] = (0.005, 0.03)  # standard deviation over the finished scene
    blur: tuple[float, float] = (0.3, 0.9)  # radius of a box blur over the finished scene


STANDARD = Difficulty()
