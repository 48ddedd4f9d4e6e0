"""The worst pictures with their boxes: found, missed, right and false alarms, counted as ``worst_pictures`` does."""

import contextlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from netwright.artifacts.dataset import read_records
from netwright.data.report.thumbnails import Thumbnail, make_thumbnail
from netwright.errors import UserError
from netwright.evaluation.evaluation import Evaluation
from netwright.evaluation.worst import PictureScore
from netwright.reporting.evaluation_numbers import Numbers, worst_line

SIDE = 640  # largest side of a picture on the page, pixels
_NAMED = 24  # errors of a picture that are named beside their boxes; of more, pointing at one tells
_KINDS = {"matched": "truth", "fn": "missed", "tp": "right", "fp": "alarm"}  # by hotcoco's words


@dataclass(frozen=True, kw_only=True)
class ErrorBox:
    """A box in picture pixels; ``kind`` is truth (a found one), missed, right or alarm."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    label: str
    score: float | None

    @property
    def is_error(self) -> bool:
        """Whether it is what makes the picture one of the worst."""
        return self.kind in ("missed", "alarm")


@dataclass(frozen=True, kw_only=True)
class ErrorPicture:
    """A picture of ``width`` x ``height`` pixels; ``address`` is "" where it cannot be shown."""

    name: str
    text: str
    address: str
    width: int
    height: int
    boxes: list[ErrorBox]

    @property
    def named(self) -> bool:
        """Whether there is room to write the errors' classes beside their boxes."""
        return sum(box.is_error for box in self.boxes) <= _NAMED


def draw_worst(row: Numbers, folder: Path) -> tuple[list[ErrorPicture], str]:
    """The worst pictures of ``row``, from the converted dataset in ``folder``; "" or why some are not shown."""
    thumbnails = _thumbnails(folder, row.settings.split, {one.name for one in row.worst})
    boxes = _boxes(row.shown, row.settings.score)
    pictures = [_picture(row, one, thumbnails[one.name], boxes) for one in row.worst]
    troubles = [found.trouble for found in thumbnails.values() if found.trouble]
    which = "No picture is" if len(troubles) == len(pictures) else f"{len(troubles)} of {len(pictures)} are not"
    return pictures, f"{which} shown: {', '.join(sorted(set(troubles)))}." if troubles else ""


def _thumbnails(folder: Path, split: str, names: set[str]) -> dict[str, Thumbnail]:
    images: dict[str, bytes] = {}
    # labels alone may still be there: the page does without the pictures
    with contextlib.suppress(UserError, OSError):
        images.update((record.name, record.image) for record in read_records(folder, split) if record.name in names)
    return {name: make_thumbnail(partial(images.__getitem__, name), SIDE) for name in names}


def _picture(
    row: Numbers, one: PictureScore, thumbnail: Thumbnail, boxes: Mapping[int, list[ErrorBox]]
) -> ErrorPicture:
    place = row.shown.truth.names.index(one.name)
    width, height = row.shown.truth.sizes[place]
    return ErrorPicture(
        name=one.name,
        text=worst_line(one),
        address=thumbnail.address,
        width=width,
        height=height,
        boxes=boxes[place + 1],
    )


def _boxes(shown: Evaluation, score: float) -> Mapping[int, list[ErrorBox]]:
    """The boxes by hotcoco's number of their picture; crowds, and what is found on them, do not count: left out."""
    status = shown.coco.image_diagnostics(iou_thr=0.5, score_thr=score)
    by_picture: dict[int, list[ErrorBox]] = defaultdict(list)
    for dataset, own in ((shown.coco.coco_gt, status["gt_status"]), (shown.coco.coco_dt, status["dt_status"])):
        for entry in dataset.load_anns(list(own)):
            by_picture[entry["image_id"]].append(_box(entry, _KINDS[own[entry["id"]]], shown.truth.classes))
    return by_picture


def _box(entry: Mapping[str, Any], kind: str, classes: Sequence[str]) -> ErrorBox:
    x, y, width, height = (round(float(value), 1) for value in entry["bbox"])
    label = classes[entry["category_id"] - 1]
    return ErrorBox(x=x, y=y, width=width, height=height, kind=kind, label=label, score=entry.get("score"))
