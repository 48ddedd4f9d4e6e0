"""Examined pictures, offences and encoded pictures, made by hand."""

import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from netwright.data.checks.rules import ExaminePolicy
from netwright.data.conversion.examined import Examined, Offence
from netwright.data.report.report import About
from netwright.data.report.survey import Survey, Tally

HOSTILE = '<script>alert(1)</script>"&\u202e gnp.\x00evil\udcff'
CLASSES = ("cat", HOSTILE, "never seen")
NAN, INF = float("nan"), float("inf")


def survey_of(pictures: Iterable[Examined], classes: Sequence[str]) -> Survey:
    """Taken in two parts, which are merged."""
    known = {picture.name: picture for picture in pictures}
    parts, whole = (Tally(classes), Tally(classes)), Tally(classes)
    for number, picture in enumerate(known.values()):
        parts[number % 2].add(picture)
    for part in parts:
        whole.merge(json.loads(json.dumps(part.state())))
    return whole.survey(known.__getitem__)


def examined(
    name: str, boxes: Any = (), labels: Any = (), *, split: str = "train", size: Any = (64, 48), group: str = ""
) -> Examined:
    count = len(labels)
    return Examined(
        name=name,
        source=f"{name}.xml",
        split=split,
        group=group,
        width=size[0],
        height=size[1],
        sha256="0" * 64,
        phash=0,
        boxes=np.array(boxes, dtype=np.float32).reshape(-1, 4),
        labels=tuple(labels),
        difficult=np.zeros(count, dtype=np.bool_),
        crowd=np.zeros(count, dtype=np.bool_),
        truncated=np.zeros(count, dtype=np.float32),
        occluded=np.zeros(count, dtype=np.int8),
        offences=(),
    )


PICTURES = (
    examined("a", [[0, 0, 16, 12], [32, 24, 64, 48]], ["cat", "cat"], group="v1"),
    examined("b", [[8, 8, 9, 40]], [HOSTILE], group="v1", split="val"),
    examined(HOSTILE, group="v2", split="test", size=(640, 480)),
    examined("d", [[0, 0, 640, 480]], ["cat"], group="v2", split="test", size=(640, 480)),
)

OFFENCES = (
    Offence(rule="not_finite", name="a", label="cat", box=(NAN, -INF, INF, 3.0), reason="NaN"),
    Offence(rule="not_finite", name="a", label="cat", box=(-INF, -INF, INF, 1e300), reason="infinite"),
    Offence(rule="inverted", name="b", label=HOSTILE, box=(40.0, 5.0, 10.0, 30.0), reason=HOSTILE),
    Offence(rule="overhang", name="b", label="cat", box=(-9.0, 5.0, 10.0, 30.0), reason="out", action="clip"),
    Offence(rule="outside", name="d", label="cat", box=(900.0, 900.0, 950.0, 901.0), reason="out"),
    Offence(rule="zero_area", name="d", label=None, box=(9.0, 9.0, 9.0, 9.0), reason="no width"),
    Offence(rule="missing_image", name="gone", label=None, box=None, reason="no picture"),
    Offence(rule="unreadable", name="bomb", label=None, box=None, reason="too large"),
)


def about(**changes: Any) -> About:
    told: dict[str, Any] = {
        "name": HOSTILE,
        "format": "kitti",
        "notes": ("read as KITTI: it has label_2", HOSTILE),
        "classes": CLASSES,
        "fingerprint": "ab" * 32,
        "rules": ExaminePolicy().actions(),
        "split_origin": "grouped by video",
        "mapping": (("cat", "cat", 3), ("dog", None, 7), (HOSTILE, HOSTILE, 1)),
    }
    return About(**told | changes)


def encoded(size: tuple[int, int] = (64, 48), mode: str = "RGB", form: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.new(mode, size).save(stream, form, **options)
    return stream.getvalue()
