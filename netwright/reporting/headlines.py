"""The cards at the head of the benchmark page: deployed against baseline, each with what it is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from netwright.artifacts.report import row_name
from netwright.reporting.units import NOTHING, amount, decimals, significant


@dataclass(frozen=True, kw_only=True)
class Card:
    """One number: its name, the value with its unit, and the sentence below it."""

    name: str
    value: str
    note: str
    tone: str = ""  # good | bad | empty: neither


def headlines(report: Mapping[str, Any]) -> list[Card]:
    """Points lost, speedup, size ratio, MACs ratio and parity of the rows that the report names.

    ``pruning`` holds, by runtime, the same three numbers of pruned against unpruned fp32.

    ``comparison`` may hold ``speedup`` (baseline p50 / deployed p50) with ``speedup_low`` and ``speedup_high``, the
    95 % interval; where it does not, the speedup is that of the two medians, without one.
    """
    rows = {row_name(row): row for row in report["rows"]}
    deployed, baseline = rows.get(report.get("deployed", "")), rows.get(report.get("baseline", ""))
    if deployed is None or baseline is None:
        return []
    return [
        _accuracy(deployed, baseline, report.get("epochs") or {}),
        _speed(deployed, baseline, report.get("comparison") or {}),
        _size(deployed, baseline),
        _macs(deployed, baseline),
        *_pruning(report, baseline["runtime"]),
        _parity(report),
    ]


def computed_in(report: Mapping[str, Any], runtime: str) -> str:
    """The precision that ``runtime`` computes the pruned and the unpruned fp32 file in, both where they differ."""
    rows = {row_name(row): row for row in report["rows"]}
    pair = [rows.get(f"{export}@{runtime}", {}) for export in ("trained_fp32", "pruned_fp32")]
    return " and ".join(dict.fromkeys(str(row.get("precision_used") or "fp32") for row in pair))


def training_note(deployed: Mapping[str, Any], baseline: Mapping[str, Any], epochs: Mapping[str, int]) -> str:
    """How long both were trained, where that differs: what is won by more epochs is not won by compression."""
    after, before = (epochs.get(row.get("model", "")) for row in (deployed, baseline))
    if after is None or before is None or after == before:
        return ""
    return f"the baseline has {before} epochs behind it, the deployed {after}"


def _accuracy(deployed: Mapping[str, Any], baseline: Mapping[str, Any], epochs: Mapping[str, int]) -> Card:
    after, before = ((row.get("test") or {}).get("map50_95") for row in (deployed, baseline))
    if after is None or before is None:
        return Card(name="Accuracy", value=NOTHING, note="Not measured on both.")
    lost = 100 * (before - after)
    unequal = training_note(deployed, baseline, epochs)
    note = f"test mAP50-95 {decimals(before, 3)} → {decimals(after, 3)}; one point is 0.01 mAP"
    tone = "bad" if lost > 1 else "" if unequal else "good"
    return Card(
        name=f"Points {'lost' if lost >= 0 else 'won'}",
        value=decimals(abs(lost), 2),
        note=f"{note}. Not trained equally: {unequal}" if unequal else note,
        tone=tone,
    )


def _speed(deployed: Mapping[str, Any], baseline: Mapping[str, Any], comparison: Mapping[str, Any]) -> Card:
    after, before = ((row.get("latency_ms") or {}).get("p50") for row in (deployed, baseline))
    if not after or not before:
        return Card(name="Speedup", value=NOTHING, note="Not measured on both.")
    speedup = comparison.get("speedup") or before / after
    used = [str(row.get("precision_used") or row.get("precision") or "") for row in (baseline, deployed)]
    note = (
        f"p50 {significant(before)} → {significant(after)} ms, computed in {' → '.join(used)}, "
        f"{significant(deployed.get('throughput_ips'))} images/s"
    )
    low, high = comparison.get("speedup_low", speedup), comparison.get("speedup_high", speedup)
    if low < high:
        note += f"; 95 % interval {decimals(low, 2)} to {decimals(high, 2)}"
    return Card(name="Speedup", value=f"{decimals(speedup, 2)}×", note=note, tone=_tone(low, high))


def _size(deployed: Mapping[str, Any], baseline: Mapping[str, Any]) -> Card:
    return _ratio("Smaller file", deployed.get("size_bytes"), baseline.get("size_bytes"), "B")


def _macs(deployed: Mapping[str, Any], baseline: Mapping[str, Any]) -> Card:
    return _ratio("Less computation", deployed.get("macs"), baseline.get("macs"), "MAC")


def _pruning(report: Mapping[str, Any], runtime: str) -> list[Card]:
    """What pruning alone gains: on the runtime of the headlines, or else the first measured."""
    pruning = report.get("pruning") or {}
    chosen = runtime if runtime in pruning else next(iter(pruning), None)
    if chosen is None:
        return []
    gain = pruning[chosen]
    low, high = gain["speedup_low"], gain["speedup_high"]
    note = (
        f"speedup of the fp32 file on {chosen}, computed in {computed_in(report, chosen)}; "
        f"95 % interval {decimals(low, 2)} to {decimals(high, 2)}"
    )
    tone = _tone(low, high)
    return [Card(name="Pruning alone", value=f"{decimals(gain['speedup'], 2)}×", note=note, tone=tone)]


def _ratio(name: str, after: float | None, before: float | None, unit: str) -> Card:
    if not after or not before:
        return Card(name=name, value=NOTHING, note="Not measured on both.")
    tone = _tone(before / after, before / after)
    return Card(
        name=name,
        value=f"{decimals(before / after, 2)}×",
        note=f"{amount(before, unit)} → {amount(after, unit)}",
        tone=tone,
    )


def _tone(low: float, high: float) -> str:
    """Better, worse, or no different from 1 as far as the interval tells."""
    return "good" if low > 1 else "bad" if high < 1 else ""


def _parity(report: Mapping[str, Any]) -> Card:
    """Over every row: a runtime that disagrees or breaks down anywhere is worth a look, deployed or not."""
    verdicts = [(row.get("parity") or {}).get("status") for row in report["rows"] if row["status"] == "ok"]
    judged = [verdict for verdict in verdicts if verdict in ("passed", "failed")]
    passed, broken = judged.count("passed"), sum(row["status"] == "failed" for row in report["rows"])
    if not judged:
        return Card(name="Parity", value=NOTHING, note="No export was compared with its reference.")
    note = f"{passed} of {len(judged)} comparisons with their reference agree"
    if broken:
        note += f"; {broken} more failed to run"
    good = passed == len(judged) and not broken
    return Card(name="Parity", value="passed" if good else "failed", note=note, tone="good" if good else "bad")
