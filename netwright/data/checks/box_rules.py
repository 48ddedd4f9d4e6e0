"""The checks of a picture's boxes: those that cannot be true go, those that reach too far are clipped."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netwright.data.checks.class_mapping import is_known, map_class
from netwright.data.checks.rules import Corners, ExaminePolicy, Findings
from netwright.data.conversion.raw import RawBox

NEAR_IDENTICAL = 0.95  # IoU from which a box repeats another of its class
_ROUNDING = 0.01  # pixels by which a box may reach over the edge: shares written with 6 digits are no closer
_CELLS = 1_000_000  # IoUs held at once, so that a picture with very many boxes costs time, not memory


@dataclass(frozen=True, kw_only=True)
class UsableBox:
    """``corners`` xyxy in pixels, inside the picture and with an area as float32; ``label`` is our class."""

    raw: RawBox
    label: str
    corners: Corners


def check_boxes(
    boxes: Sequence[RawBox], size: tuple[int, int], policy: ExaminePolicy, findings: Findings
) -> list[UsableBox]:
    """Those of ``boxes`` that may be used in a picture of ``size`` (width, height), in their order.

    What is wrong with them goes to ``findings``; boxes of classes that the mapping drops leave no trace there.
    """
    checked = [_check_class(box, policy, findings) for box in boxes]
    usable = [_check_corners(box, size, policy, findings) for box in checked if box]
    return _check_repeats([box for box in usable if box], findings)


def _check_class(box: RawBox, policy: ExaminePolicy, findings: Findings) -> UsableBox | None:
    if not is_known(box.label, policy.class_mapping, policy.classes):
        findings.add("unknown_class", f"no class {box.label!r} is declared or named in dataset.class_mapping", box)
        return None
    label = map_class(box.label, policy.class_mapping)
    if label is None:
        return None
    for rule, marked in (("crowd", box.crowd), ("difficult", box.difficult)):
        if marked and findings.add(rule, box=box) == "drop":
            return None
    return UsableBox(raw=box, label=label, corners=box.corners)


def _check_corners(
    box: UsableBox, size: tuple[int, int], policy: ExaminePolicy, findings: Findings
) -> UsableBox | None:
    for rule in _broken_rules(box.corners, size, policy.tiny_pixels):
        if findings.add(rule, box=box.raw) == "drop":
            return None
    return UsableBox(raw=box.raw, label=box.label, corners=_clipped(box.corners, size))


def _broken_rules(corners: Corners, size: tuple[int, int], tiny_pixels: float) -> Iterator[str]:
    """What is wrong with ``corners``, worst first: after any of the first four nothing more can be said."""
    left, top, right, bottom = corners
    if not all(map(math.isfinite, corners)):
        yield "not_finite"
        return
    if right < left or bottom < top:
        yield "inverted"
        return
    if right == left or bottom == top:
        yield "zero_area"
        return
    if left >= size[0] or top >= size[1] or right <= 0 or bottom <= 0:
        yield "outside"
        return
    inside = _clipped(corners, size)
    stored = np.array(inside, dtype=np.float32)
    if stored[2] <= stored[0] or stored[3] <= stored[1]:  # thinner than float32 can tell
        yield "zero_area"
        return
    if max(abs(ours - theirs) for ours, theirs in zip(inside, corners, strict=True)) > _ROUNDING:
        yield "overhang"
    if min(inside[2] - inside[0], inside[3] - inside[1]) < tiny_pixels:
        yield "tiny"


def _clipped(corners: Corners, size: tuple[int, int]) -> Corners:
    left, top, right, bottom = corners
    return max(left, 0.0), max(top, 0.0), min(right, float(size[0])), min(bottom, float(size[1]))


def _check_repeats(boxes: list[UsableBox], findings: Findings) -> list[UsableBox]:
    if len(boxes) < 2:
        return boxes
    corners = np.array([box.corners for box in boxes], dtype=np.float64)
    names = {label: number for number, label in enumerate({box.label for box in boxes})}
    repeated = find_repeats(corners, np.array([names[box.label] for box in boxes]))
    dropped = {
        index
        for index, earlier in sorted(repeated.items())
        if findings.add("near_identical", _repeat_of(boxes[earlier]), boxes[index].raw) == "drop"
    }
    return [box for index, box in enumerate(boxes) if index not in dropped]


def _repeat_of(box: UsableBox) -> str:
    return f"the box repeats {box.raw.label!r} {box.raw.corners} (IoU {NEAR_IDENTICAL} or more)"


def find_repeats(boxes: NDArray[np.float64], labels: NDArray[np.int64]) -> dict[int, int]:
    """Which of ``boxes`` (n, 4) xyxy repeats which: the later index to the first earlier one of the same label.

    A box that is itself a repeat counts for no other, so every repeat has a twin that stays.
    """
    count = len(boxes)
    stays = np.ones(count, dtype=np.bool_)
    repeats = {}
    step = max(_CELLS // max(count, 1), 1)
    for start in range(0, count, step):
        rows = slice(start, min(start + step, count))
        alike = (_iou(boxes[rows], boxes[: rows.stop]) >= NEAR_IDENTICAL) & (labels[rows, None] == labels[: rows.stop])
        alike = np.tril(alike, start - 1)
        for offset in np.flatnonzero(alike.any(axis=1)):
            index = int(start + offset)
            twins = np.flatnonzero(alike[offset, :index] & stays[:index])
            if twins.size:
                stays[index] = False
                repeats[index] = int(twins[0])
    return repeats


def _iou(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """(m, n) overlaps of (m, 4) with (n, 4) boxes that all have an area."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (first, second)]
    overlap: NDArray[np.float64] = shared / (areas[0][:, None] + areas[1][None, :] - shared)
    return overlap
