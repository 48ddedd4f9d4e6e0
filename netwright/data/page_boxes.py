"""Boxes over a picture, laid out for the page: what is drawn lies inside the view, whatever the box says."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from netwright.data.examined import Examined, Offence
from netwright.data.thumbnails import SIDE, Thumbnail

NAMED = 24  # pictures with more boxes show colours alone
_MARGIN = 0.12  # of the larger side, around a picture whose boxes reach beyond it
_LETTERS = 11  # pixels on the page
_LONGEST = 22  # letters of a class name on a picture
OFFENDING = "#d6004b"


@dataclass(frozen=True, kw_only=True)
class DrawnBox:
    """A box in picture pixels; its name stands at (text_x, text_y), "" for none; ``tip`` tells all."""

    x: float
    y: float
    width: float
    height: float
    colour: str
    name: str
    text_x: float
    text_y: float
    anchor: str
    tip: str


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A picture with boxes; ``view`` is x, y, width, height of what is shown, in picture pixels."""

    thumbnail: Thumbnail
    view: tuple[float, float, float, float]
    letters: float
    boxes: list[DrawnBox]


def class_colour(index: int) -> str:
    """Neighbours in the list of classes get colours far apart (steps of the golden angle)."""
    return f"hsl({round(index * 137.508 + 210) % 360} 85% {45 if index % 2 else 52}%)"


def draw_labels(picture: Examined, thumbnail: Thumbnail, classes: Sequence[str]) -> Drawing:
    """The picture with its boxes, coloured by class."""
    view = (0.0, 0.0, float(thumbnail.width), float(thumbnail.height))
    letters = _letters(view)
    named = len(picture.labels) <= NAMED
    boxes = [
        _drawn(corners, label if named else "", class_colour(classes.index(label)), label, view, letters)
        for corners, label in zip(picture.boxes.tolist(), picture.labels, strict=True)
    ]
    return Drawing(thumbnail=thumbnail, view=view, letters=letters, boxes=boxes)


def draw_offences(offences: Sequence[Offence], thumbnail: Thumbnail) -> Drawing:
    """The picture with its offending boxes; a box with a NaN corner has no place and is left to the words below."""
    placed = [(offence, offence.box) for offence in offences if offence.box and not any(map(math.isnan, offence.box))]
    view = _view([box for _, box in placed], thumbnail)
    letters = _letters(view)
    boxes = [
        _drawn(box, offence.label or "", OFFENDING, f"{offence.label or ''} {corners_text(box)}", view, letters)
        for offence, box in placed
    ]
    return Drawing(thumbnail=thumbnail, view=view, letters=letters, boxes=boxes)


def corners_text(box: Sequence[float] | None) -> str:
    """(xmin, ymin, xmax, ymax) as written, in short."""
    return "" if box is None else "(" + ", ".join(f"{value:.6g}" for value in box) + ")"


def _view(boxes: Sequence[Sequence[float]], thumbnail: Thumbnail) -> tuple[float, float, float, float]:
    width, height = float(thumbnail.width), float(thumbnail.height)
    if all(0 <= x <= width for box in boxes for x in box[::2]) and all(
        0 <= y <= height for b in boxes for y in b[1::2]
    ):
        return 0.0, 0.0, width, height
    margin = round(_MARGIN * max(width, height), 1)
    return -margin, -margin, width + 2 * margin, height + 2 * margin


def _letters(view: tuple[float, float, float, float]) -> float:
    return round(_LETTERS * max(view[2], view[3]) / SIDE, 1)


def _drawn(
    corners: Sequence[float],
    name: str,
    colour: str,
    tip: str,
    view: tuple[float, float, float, float],
    letters: float,
) -> DrawnBox:
    left, right = (_inside(x, view[0], view[2]) for x in sorted(corners[::2]))
    top, bottom = (_inside(y, view[1], view[3]) for y in sorted(corners[1::2]))
    shown = name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
    fits = left + 0.62 * letters * len(shown) <= view[0] + view[2]
    return DrawnBox(
        x=left,
        y=top,
        width=round(right - left, 1),
        height=round(bottom - top, 1),
        colour=colour,
        name=shown,
        text_x=left if fits else round(view[0] + view[2], 1),
        text_y=round(max(top - 0.25 * letters, view[1] + letters), 1),
        anchor="start" if fits else "end",
        tip=tip,
    )


def _inside(value: float, start: float, length: float) -> float:
    return round(min(max(value, start), start + length), 1)
