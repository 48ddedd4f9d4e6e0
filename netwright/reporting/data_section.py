"""What the benchmark page says of the dataset: the few facts that decide whether its figures can be believed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from netwright.types import SPLITS


@dataclass(frozen=True, kw_only=True)
class SplitCounts:
    """A row of the table."""

    name: str
    images: int
    boxes: int


@dataclass(frozen=True, kw_only=True)
class DataSection:
    """``leakage`` is the audit's verdict, ``leaks`` whether it is a bad one; ``page`` a relative link, "" for none."""

    splits: list[SplitCounts]
    origin: str
    groups: str
    leakage: str
    leaks: bool
    checks: str
    fingerprint: str
    page: str


def describe_data(report: Mapping[str, Any], page: str = "") -> DataSection:
    """The section for a converted dataset's report.json; ``page`` is the address of its own page."""
    exact, near, cut = report["leakage"]["exact"], report["leakage"]["near"], report["groups"]["cut"]
    return DataSection(
        splits=[
            SplitCounts(name=name, images=report["splits"][name]["images"], boxes=report["splits"][name]["boxes"])
            for name in SPLITS
        ],
        origin=report["split_origin"],
        groups=report["group_origin"],
        leakage=_verdict(exact, near, cut),
        leaks=bool(exact or near or cut),
        checks=_checks(report),
        fingerprint=report["fingerprint"],
        page=page,
    )


def _verdict(exact: int, near: int, cut: int) -> str:
    if not (exact or near or cut):
        return "no picture of one split was found in another"
    pairs = [
        f"{count} {kind} {_plural('duplicate', count)}" for count, kind in ((exact, "exact"), (near, "near")) if count
    ]
    groups = [f"{cut} {_plural('group', cut)} cut in two"] if cut else []
    return ", ".join([*pairs, *groups]) + " across splits: accuracies may be too high"


def _checks(report: Mapping[str, Any]) -> str:
    found = {name.replace("_", " "): rule["count"] for name, rule in report["rules"].items() if rule["count"]}
    told = ", ".join(f"{name} {count:,}" for name, count in found.items())
    dropped = f"{report['boxes_dropped']:,} boxes dropped, {report['boxes_clipped']:,} clipped"
    return f"{dropped} ({told})" if told else "nothing to object to"


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"
