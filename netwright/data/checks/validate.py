"""The checks between a raw picture and a usable one: each rule counted, each offender named with its reason.

Nothing is left out or altered in silence: see ``rules`` for what is looked for and what may be done about it.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from netwright.data.checks.box_rules import UsableBox, check_boxes
from netwright.data.checks.class_mapping import count_classes, is_known
from netwright.data.checks.picture_rules import Look, UnreadableError, look_at
from netwright.data.checks.rules import RULES, ExaminePolicy, Findings
from netwright.data.conversion.examined import Examined
from netwright.data.conversion.raw import RawLabels, RawPicture
from netwright.errors import UserError

__all__ = ["RULES", "ExaminePolicy", "examine"]

_MAX_BOXES = 20_000  # of one picture; the densest public datasets stay below 10,000
_NOTHING = Look(width=0, height=0, phash=0, unusual=())


def examine(raw: RawPicture, policy: ExaminePolicy) -> Examined:
    """Check ``raw`` and return what may be used of it. Runs in worker processes.

    Raises UserError, in one line, for an offence whose action is fail.
    """
    findings = Findings(raw, policy)
    content = _read_content(raw, policy, findings)
    if content is None:
        return _examined(raw, findings, kept=False)
    sha256 = hashlib.sha256(content).hexdigest()
    look = _look(content, policy, findings)
    labels = _read_labels(raw, findings) if look else None
    if look is None or labels is None:
        return _examined(raw, findings, sha256=sha256, look=look, kept=False)
    if not _passes(look, labels, findings):
        return _examined(raw, findings, sha256=sha256, look=look, kept=False)
    boxes = check_boxes(labels.boxes, (look.width, look.height), policy, findings)
    known = (box.label for box in labels.boxes if is_known(box.label, policy.class_mapping, policy.classes))
    counts = count_classes(known, policy.class_mapping)
    return _examined(raw, findings, sha256=sha256, look=look, boxes=boxes, class_counts=counts)


def _read_content(raw: RawPicture, policy: ExaminePolicy, findings: Findings) -> bytes | None:
    """The encoded picture, or None after the reason has been noted."""
    try:
        if isinstance(raw.content, Path):
            if not raw.content.is_file():  # nor a folder, a device or a loop of links
                findings.add("missing_image")
                return None
            if raw.content.stat().st_size > policy.max_bytes:
                findings.add("unreadable", f"the file has more than {policy.max_bytes} bytes: shrink it")
                return None
        return raw.read()
    except OSError as error:
        findings.add("unreadable", f"the file cannot be read ({error.strerror})")
        return None


def _look(content: bytes, policy: ExaminePolicy, findings: Findings) -> Look | None:
    try:
        return look_at(content, max_pixels=policy.max_pixels)
    except UnreadableError as error:
        findings.add("unreadable", f"the picture cannot be read: {error}")
        return None


def _read_labels(raw: RawPicture, findings: Findings) -> RawLabels | None:
    """The picture's labels, none where a missing file is taken for "no objects"; None: the picture goes."""
    if raw.labels is None:
        return RawLabels(boxes=()) if findings.add("missing_label") == "keep" else None
    try:
        labels = raw.labels()
    except UserError as error:
        findings.add("bad_label", str(error))
        return None
    except OSError as error:
        findings.add("bad_label", f"the label file cannot be read ({error.strerror})")
        return None
    if len(labels.boxes) > _MAX_BOXES:
        findings.add("bad_label", f"it holds {len(labels.boxes)} boxes, at most {_MAX_BOXES} can be right")
        return None
    return labels


def _passes(look: Look, labels: RawLabels, findings: Findings) -> bool:
    """Note what is unusual about the picture; False where any of it means that the picture goes."""
    found = [*look.unusual, *_size_mismatch(look, labels)]
    actions = [findings.add(rule, reason) for rule, reason in found]
    return "drop" not in actions


def _size_mismatch(look: Look, labels: RawLabels) -> list[tuple[str, str]]:
    size = look.width, look.height
    if labels.declared_size in (None, size):
        return []
    reason = f"the label file says {labels.declared_size}, the picture is {size}, which is used"
    turned = any(rule == "exif_rotation" for rule, _ in look.unusual)
    if turned and labels.declared_size == size[::-1]:
        reason += "; it may have been labelled before its EXIF turn: look at its boxes"
    return [("size_mismatch", reason)]


def _examined(
    raw: RawPicture,
    findings: Findings,
    *,
    sha256: str = "",
    look: Look | None = None,
    boxes: Sequence[UsableBox] = (),
    class_counts: tuple[tuple[str, str | None, int], ...] = (),
    kept: bool = True,
) -> Examined:
    look = look or _NOTHING
    truncated = np.array([box.raw.truncated for box in boxes], dtype=np.float32)
    return Examined(
        name=raw.name,
        source=raw.source,
        split=raw.split,
        group=raw.group,
        width=look.width,
        height=look.height,
        sha256=sha256,
        phash=look.phash,
        boxes=np.array([box.corners for box in boxes], dtype=np.float32).reshape(-1, 4),
        labels=tuple(box.label for box in boxes),
        difficult=np.array([box.raw.difficult for box in boxes], dtype=np.bool_),
        crowd=np.array([box.raw.crowd for box in boxes], dtype=np.bool_),
        truncated=np.clip(np.nan_to_num(truncated, nan=0.0), 0, 1),
        occluded=np.array([min(max(box.raw.occluded, 0), 3) for box in boxes], dtype=np.int8),
        offences=tuple(findings.offences),
        kept=kept,
        class_counts=class_counts,
    )
