"""What a converted dataset's report tells MLflow: a few numbers, a few tags, and the dataset of a run."""

from collections.abc import Mapping
from typing import Any

from netwright.types import SPLITS

_LONGEST_TAG = 500
DIGEST = 36  # characters of a dataset's digest that MLflow keeps


def data_metrics(report: Mapping[str, Any]) -> dict[str, float]:
    """Pictures and boxes of each split, what the checks found by rule, leaks; names begin with ``data/``."""
    counts = {f"{split}/{what}": report["splits"][split][what] for split in SPLITS for what in ("images", "boxes")}
    found = {f"rules/{rule}": facts["count"] for rule, facts in report["rules"].items() if facts["count"]}
    others = {
        "classes": len(report["classes"]),
        "boxes_dropped": report["boxes_dropped"],
        "boxes_clipped": report["boxes_clipped"],
        "leaks/exact": report["leakage"]["exact"],
        "leaks/near": report["leakage"]["near"],
        "groups_cut": report["groups"]["cut"],
    }
    return {f"data/{name}": float(value) for name, value in (counts | others | found).items()}


def data_tags(report: Mapping[str, Any]) -> dict[str, str]:
    """Fingerprint, format and origin of the splits."""
    told = {
        "dataset.fingerprint": report["fingerprint"],
        "dataset.format": report["format"],
        "dataset.split_origin": report["split_origin"],
    }
    return {name: text[:_LONGEST_TAG] for name, text in told.items() if text}
