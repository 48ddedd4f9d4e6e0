"""The benchmark as a table in the terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from netwright.artifacts.report import row_name
from netwright.reporting.headlines import computed_in, training_note

_COLUMNS = (
    "export",
    "runtime",
    "computes in",
    "mAP50-95",
    "mAP50",
    "p50 ms",
    "p95 ms",
    "images/s",
    "MB",
    "GMAC",
    "parity",
)
WIDTH = 120  # characters that the table needs


def print_table(report: Mapping[str, Any], console: Console | None = None) -> None:
    """Print a line for each row that ran (accuracy on test), then what did not run, then the headlines."""
    console = console or Console(highlight=False, soft_wrap=True)
    console.width = max(console.width, WIDTH)  # DVC and CI give no terminal, and a cut name helps nobody
    table = Table(*_COLUMNS, box=None, pad_edge=False, header_style="bold", title_justify="left")
    for name in _COLUMNS[3:10]:
        table.columns[_COLUMNS.index(name)].justify = "right"
    for row in report["rows"]:
        if row["status"] == "ok":
            table.add_row(*_cells(row), style="bold" if row_name(row) == report["deployed"] else None)
    console.print(table)
    reasons: dict[str, list[str]] = {}
    for row in report["rows"]:
        if row["status"] != "ok":
            reasons.setdefault(f"{row['status']}: {row['reason']}", []).append(row_name(row))
    for reason, names in reasons.items():
        console.print(f"{', '.join(names)}: {reason}", markup=False)
    for line in _headlines(report):
        console.print(line, markup=False)


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    test, latency = row["test"], row["latency_ms"]
    return (
        row["export"],
        row["runtime"],
        row["precision_used"],
        f"{test['map50_95']:.4f}",
        f"{test['map50']:.4f}",
        f"{latency['p50']:.2f}",
        f"{latency['p95']:.2f}",
        f"{row['throughput_ips']:.1f}",
        f"{row['size_bytes'] / 1e6:.2f}",
        f"{row['macs'] / 1e9:.3f}",
        row["parity"]["status"],
    )


def _headlines(report: Mapping[str, Any]) -> list[str]:
    lines = [
        f"{row_name(row)}: parity failed: {row['parity']['reason']}"
        for row in report["rows"]
        if row["parity"]["status"] == "failed"
    ]
    rows = {row_name(row): row for row in report["rows"]}
    deployed, baseline, ratio = rows[report["deployed"]], rows[report["baseline"]], report["comparison"]
    if deployed["status"] == baseline["status"] == "ok" and ratio:
        lost = 100 * (baseline["test"]["map50_95"] - deployed["test"]["map50_95"])
        lines.append(
            f"{report['deployed']} ({deployed['precision_used']}) against {report['baseline']} "
            f"({baseline['precision_used']}): speedup {_times(ratio)}, "
            f"{baseline['size_bytes'] / deployed['size_bytes']:.1f} times smaller, "
            f"{abs(lost):.2f} points of mAP50-95 {'lost' if lost >= 0 else 'won'}"
        )
        if note := training_note(deployed, baseline, report.get("epochs") or {}):
            lines.append(f"not trained equally: {note}")
    lines += [
        f"pruned_fp32 against trained_fp32 on {name}, computed in {computed_in(report, name)}: {_times(ratio)}"
        for name, ratio in report["pruning"].items()
    ]
    if any(row.get("disturbed") for row in report["rows"]):
        lines.append("disturbed: other processes kept this machine busy during timing; measure again when it is idle")
    return lines


def _times(ratio: Mapping[str, float]) -> str:
    return f"{ratio['speedup']:.2f} times (95 %: {ratio['speedup_low']:.2f} to {ratio['speedup_high']:.2f})"
