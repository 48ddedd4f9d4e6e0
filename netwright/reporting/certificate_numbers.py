"""A certificate's numbers as text."""

from collections.abc import Mapping
from typing import Any

from netwright.reporting.units import NOTHING, decimals, signed


def label(name: str) -> str:
    """A metric's name as people write it: ``map50_95`` is mAP50-95."""
    for short, told in (("map", "mAP"), ("ar", "AR"), ("voc", "VOC "), ("tao", "TAO")):
        if name.startswith(short):
            name = told + name.removeprefix(short)
    return name.replace("50_95", "50-95").replace("_", " ")


def metric(found: Mapping[str, Any] | None) -> str:
    """``0.759 (0.741 to 0.775)``; without the brackets where there is no interval, a dash where there is no value."""
    if found is None or found["value"] is None:
        return NOTHING
    return interval(found, 3) if "low" in found else decimals(found["value"], 3)


def interval(found: Mapping[str, float], digits: int) -> str:
    """The value and the ends of its interval."""
    low, high = (decimals(found[end], digits) for end in ("low", "high"))
    return f"{decimals(found['value'], digits)} ({low} to {high})"


def points(found: Mapping[str, float]) -> str:
    """A difference with its sign, and the ends of its interval."""
    low, high = (signed(found[end], 1) for end in ("low", "high"))
    return f"{signed(found['value'], 2)} ({low} to {high})"


def shown(value: Any) -> str:
    """A value of the configuration."""
    if isinstance(value, list | tuple):
        return ", ".join(shown(entry) for entry in value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
