"""reports/benchmark.json as the Markdown table of docs/benchmarks.md.

    python -m benchmarks.markdown_table [reports/benchmark.json]

Accuracy is on the test split; a row that did not run is left out.
"""

import json
import sys
from pathlib import Path
from typing import Any

HEAD = ("export", "runtime", "computes in", "mAP50-95", "mAP50", "p50 ms", "p95 ms", "images/s", "MB", "GMAC", "parity")


def table(report: dict[str, Any]) -> str:
    """The rows that ran, in the report's order; the deployed one in bold."""
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    for row in report["rows"]:
        if row["status"] != "ok":
            continue
        latency, test = row["latency_ms"], row["test"]
        cells = [
            row["export"],
            f"{row['runtime']} {row['runtime_version']}",
            row["precision_used"],
            f"{test['map50_95']:.4f}",
            f"{test['map50']:.4f}",
            f"{latency['p50']:.2f}",
            f"{latency['p95']:.2f}",
            f"{row['throughput_ips']:.0f}",
            f"{row['size_bytes'] / 1e6:.2f}",
            f"{row['macs'] / 1e9:.3f}",
            row["parity"]["status"],
        ]
        bold = f"{row['export']}@{row['runtime']}" == report["deployed"]
        lines.append("| " + " | ".join(f"**{cell}**" if bold else cell for cell in cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the table of the named report."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "reports/benchmark.json")
    report = json.loads(path.read_text("utf-8"))
    print(table(report))
    print()
    for runtime, ratio in report["pruning"].items():
        print(f"pruned against unpruned, fp32, {runtime}: {ratio}")
    print(f"{report['deployed']} against {report['baseline']}: {report['comparison']}")


if __name__ == "__main__":
    main()
