"""Replaying a release and printing what differs."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from netwright.artifacts.report import POINT
from netwright.certificates.replay import Again, Replay, replay
from netwright.certificates.signature import check_signature
from netwright.certificates.verify import read_release
from netwright.errors import UserError
from netwright.reporting.units import decimals, signed, significant


def replay_release(folder: Path, public: Path, *, data: Path, within: float) -> None:
    """Measure the release in ``folder`` on this machine and print the differences.

    Raises UserError where it is not as it was signed, cannot be run here, or an accuracy is more than ``within``
    points of 0.01 from the certified one.
    """
    check_signature(folder, public)
    certificate, _ = read_release(folder)
    scratch = Path(os.environ.get("NETWRIGHT_SCRATCH", ".netwright"))
    found = replay(certificate, folder / "exports", data=data, scratch=scratch)
    _print(certificate, found, Console(highlight=False, soft_wrap=True, markup=False, emoji=False))
    far = [row for row in found.accuracies if abs(_points(row)) > within]
    if far:
        told = ", ".join(f"{row.metric} on {row.split} by {signed(_points(row), 2)}" for row in far)
        raise UserError(f"more than {within:g} points from the certificate: {told}")


def _points(row: Again) -> float:
    return (row.here - row.certified) / POINT


def _print(certificate: Mapping[str, Any], found: Replay, console: Console) -> None:
    table = Table("", "certified", "here", "difference", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in found.accuracies:
        numbers = (decimals(row.certified, 4), decimals(row.here, 4), f"{signed(_points(row), 2)} points")
        table.add_row(f"{row.metric} on {row.split}", *numbers)
    if found.speedup:
        told = certificate["lineage"][-1]["speedup"]
        change = signed(100 * (found.speedup.median / told["value"] - 1), 0)
        numbers = (f"{told['value']:.2f} times", f"{found.speedup.median:.2f} times", f"{change} %")
        table.add_row("speedup over the baseline", *numbers)
    for step in certificate["lineage"]:
        if step["row"] in found.p50:
            p50 = step["speed"]["latency_ms"]["p50"], found.p50[step["row"]]
            table.add_row(f"p50 of {step['row']}", *(f"{significant(value)} ms" for value in p50), "")
    console.print(table)
    for name, used in found.precision_used.items():
        told_used = next(step["speed"]["precision_used"] for step in certificate["lineage"] if step["row"] == name)
        if used != told_used:
            console.print(f"{name} computes in {used} here, in {told_used} where it was certified")
    if found.disturbed:
        console.print("disturbed: other processes kept this machine busy during timing; the speed says little")
