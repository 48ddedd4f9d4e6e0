"""What a conversion found and kept, as ``report.json``."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from netwright.artifacts.dataset import Record
from netwright.data.raw import RawDataset
from netwright.data.validate import REJECTING, RULES, Offence
from netwright.types import SPLITS

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def make_report(name: str, raw: RawDataset, records: Sequence[Record], offences: Sequence[Offence]) -> dict[str, Any]:
    """Counts per split and class, quantiles of box sizes in pixels, and every offence; JSON values only."""
    found = Counter(offence.rule for offence in offences)
    return {
        "name": name,
        "format": raw.format,
        "notes": list(raw.notes),
        "classes": list(raw.classes),
        "splits": {split: _split_report(raw.classes, [r for r in records if r.split == split]) for split in SPLITS},
        "box_sizes": {"quantiles": list(QUANTILES), **_size_quantiles(records)},
        "boxes_rejected": sum(found[rule] for rule in REJECTING),
        "rules": {rule: {"count": found[rule], "meaning": meaning} for rule, meaning in RULES.items()},
        "offenders": [_offender(offence) for offence in offences],
    }


def _split_report(classes: tuple[str, ...], records: Sequence[Record]) -> dict[str, Any]:
    counts = Counter(int(label) for record in records for label in record.labels)
    return {
        "images": len(records),
        "empty_images": sum(len(record.labels) == 0 for record in records),
        "boxes": counts.total(),
        "boxes_per_class": {label: counts[index] for index, label in enumerate(classes)},
    }


def _size_quantiles(records: Sequence[Record]) -> dict[str, list[float]]:
    boxes = np.concatenate([np.zeros((0, 4), dtype=np.float32), *(record.boxes for record in records)])
    if not len(boxes):
        return {"width": [], "height": []}
    sizes = {"width": boxes[:, 2] - boxes[:, 0], "height": boxes[:, 3] - boxes[:, 1]}
    return {
        side: [round(float(value), 2) for value in np.quantile(lengths, QUANTILES)] for side, lengths in sizes.items()
    }


def _offender(offence: Offence) -> dict[str, Any]:
    """JSON has no NaN, so such a corner is written as a word."""
    box = offence.box and [value if math.isfinite(value) else str(value) for value in offence.box]
    return {
        "rule": offence.rule,
        "name": offence.name,
        "label": offence.label,
        "box": box,
        "reason": offence.reason,
    }
