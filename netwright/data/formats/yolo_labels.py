"""One YOLO label file: class numbers, and boxes or polygons as shares of the picture's size."""

from pathlib import Path

from PIL import Image

from netwright.data.checks.picture_rules import FORMATS
from netwright.data.conversion.raw import RawBox, RawLabels
from netwright.data.feeding.colour import lies_on_its_side
from netwright.data.formats.label_text import quote, read_lines
from netwright.errors import UserError

_BOX, _BOX_AND_SCORE, _TRIANGLE = 4, 5, 6


def read_labels(path: str | Path, picture: Path, shown: str, *, names: tuple[str, ...], keypoints: int) -> RawLabels:
    """Parse the label file ``path``, called ``shown`` in messages, of the file ``picture``; corners in its pixels.

    ``names`` are the classes in order, () where numbers are their names; a number beyond them becomes "class 7", which
    is no known class. Raises UserError for a line that is no box or polygon, or a picture whose size is unreadable.
    """
    lines = list(read_lines(path, shown))
    if not lines:
        return RawLabels(boxes=())
    width, height = upright_size(picture, shown)
    boxes = []
    for number, line in lines:
        label, (low_x, low_y, high_x, high_y) = _parse(line, f"{shown}, line {number}", keypoints)
        corners = (low_x * width, low_y * height, high_x * width, high_y * height)
        boxes.append(RawBox(label=_name(label, names), corners=corners))
    return RawLabels(boxes=tuple(boxes))


def upright_size(picture: Path, shown: str) -> tuple[int, int]:
    """Width and height in pixels, from the header, after the turn that EXIF asks for. Raises UserError."""
    try:
        with Image.open(picture, formats=FORMATS) as image:
            width, height = image.size
            turned = lies_on_its_side(image)
    except FileNotFoundError:
        raise UserError(f"{shown} has no picture, whose size its boxes are shares of: add it or remove it") from None
    except Exception as error:  # noqa: BLE001 a broken header raises whatever its reader stumbles over
        raise UserError(
            f"the size of the picture of {shown} cannot be read ({type(error).__name__}): replace it"
        ) from None
    return (height, width) if turned else (width, height)


def is_box_line(line: str) -> bool:
    """Whether ``line`` looks like a box or a polygon: a class number, then shares from 0 to about 1."""
    try:
        _, corners = _parse(line, "", 0)
    except UserError:
        return False
    return all(-0.5 <= corner <= 1.5 for corner in corners)


def _parse(line: str, where: str, keypoints: int) -> tuple[int, tuple[float, float, float, float]]:
    fields = line.split()
    try:
        label, *numbers = (float(field) for field in fields)
    except ValueError:
        raise UserError(f"{where} has text where a number belongs, {quote(line)}: repair it") from None
    if not label.is_integer() or label < 0:
        raise UserError(f"{where} begins with {quote(fields[0])}: a class number from 0 is expected")
    if len(numbers) in (_BOX, _BOX_AND_SCORE) or (keypoints and len(numbers) == _BOX + keypoints):
        x, y, width, height = numbers[:4]
        return int(label), (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    if len(numbers) < _TRIANGLE or len(numbers) % 2:
        raise UserError(
            f"{where} has {len(fields)} fields, {quote(line)}: a class number and 4 of a box are expected, "
            "or x and y of 3 points or more"
        )
    return int(label), (min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2]))


def _name(label: int, names: tuple[str, ...]) -> str:
    if not names:
        return str(label)
    return names[label] if label < len(names) else f"class {label}"
