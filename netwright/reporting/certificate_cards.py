"""The headlines of a certificate."""

from collections.abc import Mapping
from typing import Any

from netwright.reporting.certificate_numbers import interval, label, metric
from netwright.reporting.headlines import Card
from netwright.reporting.units import NOTHING, amount, decimals, significant


def cards_of(certificate: Mapping[str, Any]) -> list[Card]:
    """Accuracy on test, latency, speedup, size and parity of the deployed row."""
    return [
        _accuracy(certificate),
        _latency(certificate),
        *_against_baseline(certificate),
        _size(certificate),
        _parity(certificate),
    ]


def _accuracy(certificate: Mapping[str, Any]) -> Card:
    """By the metric that the author named first."""
    test = certificate["accuracy"]["test"]
    name, found = next(iter(test["overall"].items()))
    value = NOTHING if found["value"] is None else decimals(found["value"], 3)
    return Card(name=f"{label(name)} on test", value=value, note=f"{metric(found)}, {test['images']} pictures")


def _latency(certificate: Mapping[str, Any]) -> Card:
    speed = certificate["speed"]
    return Card(
        name="Latency p50, ms",
        value=significant(speed["latency_ms"]["p50"]),
        note=f"{speed['runtime']} {speed['runtime_version']} on {speed['device']}, "
        f"computes in {speed['precision_used']}, batch {speed['batch']}; "
        f"{significant(speed['throughput_ips'])} pictures a second",
    )


def _against_baseline(certificate: Mapping[str, Any]) -> list[Card]:
    last = certificate["lineage"][-1]
    if "speedup" not in last:
        return []
    value, told = last["points"]["test"]["value"], certificate["baseline"]
    return [
        Card(
            name="Speedup",
            value=f"{decimals(last['speedup']['value'], 2)}×",
            note=f"{interval(last['speedup'], 2)} against {told}",
        ),
        Card(
            name=f"Points {'won' if value >= 0 else 'lost'}",
            value=decimals(abs(value), 2),
            note=f"{interval(last['points']['test'], 2)} points of mAP50-95 on test, deployed minus baseline",
        ),
    ]


def _size(certificate: Mapping[str, Any]) -> Card:
    first, last = certificate["lineage"][0], certificate["lineage"][-1]
    return Card(name="File", value=amount(last["size_bytes"], "B"), note=f"baseline {amount(first['size_bytes'], 'B')}")


def _parity(certificate: Mapping[str, Any]) -> Card:
    mine = next(row for row in certificate["parity"] if row["row"] == certificate["deployed"])
    others = [row["row"] for row in certificate["parity"] if row["status"] == "failed"]
    note = f"{mine['reason']}; against the {mine['reference']}"
    note += f". NOT of {', '.join(others)}" if others else ""
    return Card(name="Parity", value=mine["status"], note=note, tone="good")
