"""The rows that a certificate stands for: from the baseline through what lies between to the deployed row."""

from collections.abc import Mapping
from typing import Any

from netwright.artifacts.certificate import RefusedError

MODELS = ("trained", "pruned", "quantized")

Row = Mapping[str, Any]


def certified_rows(rows: Mapping[str, Row], baseline: str, deployed: str) -> dict[str, Row]:
    """The baseline, the fp32 row of each model between on the baseline's runtime, the deployed row; by name, in order.

    Raises RefusedError where one of them was not measured.
    """
    first, last = rows[baseline], rows[deployed]
    between = MODELS[MODELS.index(first["model"]) + 1 : MODELS.index(last["model"])]
    names = [baseline, *(_between(rows, model, first["runtime"]) for model in between), deployed]
    return {name: rows[name] for name in names}


def check_rows(rows: Mapping[str, Row]) -> None:
    """Raise RefusedError for a row that did not run, was disturbed, or does not agree with its reference."""
    for name, row in rows.items():
        if row["status"] != "ok":
            raise RefusedError(f"row {name} is {row['status']} ({row['reason']})")
        if row["disturbed"]:
            raise RefusedError(
                f"row {name} is disturbed, other work ran on the machine while it was timed: when it is idle, "
                "dvc repro -f -s benchmark"
            )
        if row["parity"]["status"] not in ("passed", "reference"):
            raise RefusedError(f"parity of row {name} is {row['parity']['status']} ({row['parity']['reason']})")


def _between(rows: Mapping[str, Row], model: str, runtime: str) -> str:
    found = [name for name, row in rows.items() if row["model"] == model and row["runtime"] == runtime]
    if not found:
        raise RefusedError(f"no row of model {model} on {runtime}, so the way from baseline to deployed has a gap")
    return found[0]
