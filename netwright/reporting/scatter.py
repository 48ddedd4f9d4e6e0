"""Layout of the size-accuracy-speed plot: bubbles whose area is the file size, with labels that do not collide."""

from collections.abc import Sequence
from dataclasses import dataclass

from netwright.reporting.axes import Scale, linear_ticks, log_ticks, padded, tick_texts
from netwright.reporting.units import significant

LETTER = 6.4  # width of a 12 px letter, pixels
LINE = 14.0
Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True, kw_only=True)
class Point:
    """What is plotted: ``speed`` in images/s, ``accuracy`` 0..1, ``size`` in bytes; ``series`` picks the colour."""

    label: str
    series: str
    speed: float
    accuracy: float
    size: float
    tip: str
    emphasis: bool = False


@dataclass(frozen=True, kw_only=True)
class Bubble:
    """A point in its place. The label starts at ``label_x`` and grows as ``anchor`` (SVG's text-anchor) says."""

    point: Point
    x: float
    y: float
    radius: float
    label_x: float
    label_y: float
    anchor: str


@dataclass(frozen=True, kw_only=True)
class Scatter:
    """A laid-out plot of ``width`` x ``height``; ticks are (pixel, text)."""

    width: int
    height: int
    frame: Box
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    bubbles: list[Bubble]


def lay_out_scatter(points: Sequence[Point], width: int, height: int) -> Scatter | None:
    """Place ``points`` on a logarithmic speed axis and a linear accuracy axis. None where there is no point."""
    if not points:
        return None
    frame: Box = (60.0, 14.0, width - 16.0, height - 46.0)
    speeds = padded([point.speed for point in points], 0.12, log=True)
    accuracies = padded([point.accuracy for point in points], 0.18)
    x = Scale(low=speeds[0], high=speeds[1], start=frame[0], end=frame[2], log=True)
    y = Scale(low=accuracies[0], high=accuracies[1], start=frame[3], end=frame[1])
    largest = max(point.size for point in points)
    widest = 15.0 if width < 500 else 22.0
    radii = [max(widest * (point.size / largest) ** 0.5, 4.0) for point in points]
    places = [
        (x(point.speed), y(point.accuracy), round(radius, 1)) for point, radius in zip(points, radii, strict=True)
    ]
    y_ticks = linear_ticks(*accuracies, 5)
    return Scatter(
        width=width,
        height=height,
        frame=frame,
        x_ticks=[(x(tick), significant(tick, 1)) for tick in log_ticks(*speeds)],
        y_ticks=[(y(tick), text) for tick, text in zip(y_ticks, tick_texts(y_ticks, 2), strict=True)],
        bubbles=_labelled(points, places, frame),
    )


def _labelled(points: Sequence[Point], places: list[tuple[float, float, float]], frame: Box) -> list[Bubble]:
    """Give each bubble, emphasised ones first, the first free place for its label; large bubbles are drawn first."""
    taken: list[Box] = [(x - r, y - r, x + r, y + r) for x, y, r in places]
    bubbles = []
    for index in sorted(range(len(points)), key=lambda place: not points[place].emphasis):
        x, y, radius = places[index]
        label_x, label_y, anchor, box = _free_place(points[index].label, x, y, radius, taken, frame)
        taken.append(box)
        bubbles.append(
            Bubble(point=points[index], x=x, y=y, radius=radius, label_x=label_x, label_y=label_y, anchor=anchor)
        )
    return sorted(bubbles, key=lambda bubble: -bubble.radius)


def _free_place(
    label: str, x: float, y: float, radius: float, taken: list[Box], frame: Box
) -> tuple[float, float, str, Box]:
    """Nearest place around the bubble whose box overlaps the fewest others (and stays inside ``frame``)."""
    width = len(label) * LETTER
    best: tuple[float, tuple[float, float, str, Box]] | None = None
    for distance, shift in enumerate((0.0, LINE, -LINE, 2 * LINE, -2 * LINE, 3 * LINE, -3 * LINE, 4 * LINE)):
        for side, anchor in ((1, "start"), (-1, "end"), (0, "middle")):
            if side == 0 and abs(shift) < radius + LINE / 2:
                continue
            label_x, middle = x + side * (radius + 5), y + shift
            left = label_x - {"start": 0.0, "end": width, "middle": width / 2}[anchor]
            box: Box = (left, middle - LINE / 2, left + width, middle + LINE / 2)
            outside = box[0] < frame[0] or box[2] > frame[2] or box[1] < frame[1] or box[3] > frame[3]
            cost = sum(_overlap(box, other) for other in taken) + 1000 * outside + distance * 2
            if best is None or cost < best[0]:
                best = cost, (round(label_x, 1), round(middle + 4, 1), anchor, box)
    assert best is not None
    return best[1]


def _overlap(one: Box, other: Box) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0.0) * max(height, 0.0)
