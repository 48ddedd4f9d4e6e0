"""Boxes over a picture, laid out for the page: what is drawn lies inside the view, whatever the box says."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from netwright.data.conversion.examined import Examined, Offence
from netwright.data.report.thumbnails import SIDE, Thumbnail

NAMED = 24  # pictures with more boxes show colours alone
_MARGIN = 0.12  # of the larger side, around a picture whose boxes reach beyond it
_LETTERS = 11  # pixels on the page
_LONGEST = 22  # letters of a class name on a picture
_LETTER_SHAPE = 0.62  # width to height of an average letter
_SLIMMEST, _FLATTEST = 0.6, 0.25  # shapes of a view, width to height and height to width
_LEAST = 0.015  # of the view: the shortest side that is drawn
OFFENDING = "#d6004b"

_View = tuple[float, float, float, float]  # x, y, width, height in picture pixels
_Mark = tuple[Sequence[float], str, str, str]  # corners, name, colour, tip


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
    view: _View
    letters: float
    boxes: list[DrawnBox]


def class_colour(index: int) -> str:
    """Neighbours in the list of classes get colours far apart (steps of the golden angle)."""
    return f"hsl({round(index * 137.508 + 210) % 360} 85% {45 if index % 2 else 52}%)"


def draw_labels(picture: Examined, thumbnail: Thumbnail, classes: Sequence[str]) -> Drawing:
    """The picture with its boxes, coloured by class."""
    named = len(picture.labels) <= NAMED
    marks = [
        (corners, label if named else "", class_colour(classes.index(label)), label)
        for corners, label in zip(picture.boxes.tolist(), picture.labels, strict=True)
    ]
    return _drawing(marks, thumbnail, _view([], thumbnail))


def draw_offences(offences: Sequence[Offence], thumbnail: Thumbnail) -> Drawing:
    """The picture with its offending boxes; a box with a NaN corner has no place and is left to the words below."""
    placed = [(offence, offence.box) for offence in offences if offence.box and not any(map(math.isnan, offence.box))]
    marks = [
        (box, offence.label or "", OFFENDING, f"{offence.label or ''} {corners_text(box)}".strip())
        for offence, box in placed
    ]
    return _drawing(marks, thumbnail, _view([box for _, box in placed], thumbnail))


def _drawing(marks: Sequence[_Mark], thumbnail: Thumbnail, view: _View) -> Drawing:
    letters = round(_LETTERS * max(view[2], view[3]) / SIDE, 3)
    shown = [] if thumbnail.trouble else marks
    boxes = [_drawn(*mark, view=view, letters=letters) for mark in shown]
    return Drawing(thumbnail=thumbnail, view=view, letters=letters, boxes=boxes)


def corners_text(box: Sequence[float] | None) -> str:
    """(xmin, ymin, xmax, ymax) as written, in short."""
    return "" if box is None else "(" + ", ".join(f"{value:.6g}" for value in box) + ")"


def _view(boxes: Sequence[Sequence[float]], thumbnail: Thumbnail) -> _View:
    """The picture, with a margin where a box reaches beyond it or it is very long."""
    width, height = thumbnail.width, thumbnail.height
    beyond = any(not 0 <= value <= size for box in boxes for value, size in zip(box, (width, height) * 2, strict=True))
    margin = _MARGIN * max(width, height) if beyond else 0.0
    wide, tall = width + 2 * margin, height + 2 * margin
    wide, tall = max(wide, _SLIMMEST * tall), max(tall, _FLATTEST * wide)
    return round((width - wide) / 2, 2), round((height - tall) / 2, 2), round(wide, 2), round(tall, 2)


def _drawn(corners: Sequence[float], name: str, colour: str, tip: str, *, view: _View, letters: float) -> DrawnBox:
    left, width = _stretch(corners[0], corners[2], view[0], view[2])
    top, height = _stretch(corners[1], corners[3], view[1], view[3])
    room = min(_LONGEST, int(view[2] / (_LETTER_SHAPE * letters)))
    shown = name if len(name) <= room else name[: room - 1] + "…"
    end = view[0] + view[2]
    fits = left + _LETTER_SHAPE * letters * len(shown) <= end
    return DrawnBox(
        x=left,
        y=top,
        width=width,
        height=height,
        colour=colour,
        name=shown,
        text_x=left if fits else round(end, 2),
        text_y=round(max(top - 0.25 * letters, view[1] + letters), 2),
        anchor="start" if fits else "end",
        tip=tip,
    )


def _stretch(one: float, other: float, start: float, length: float) -> tuple[float, float]:
    """Start and length of what is drawn of one..other: inside the view, and long enough to be seen."""
    low, high = sorted((one, other))
    low, high = (min(max(value, start), start + length) for value in (low, high))
    least = length * _LEAST
    if high - low < least:
        low = min(max((low + high - least) / 2, start), start + length - least)
        high = low + least
    return round(low, 2), round(high - low, 2)
