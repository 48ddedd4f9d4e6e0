"""results.jsonl: a line for each training that ended; and the table of means and spreads."""

import fcntl
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.recipe_run import Run
from netwright.errors import UserError
from netwright.evaluation.spread import spread

RESULTS = "results.jsonl"
Line = dict[str, Any]


def append(out: Path, line: Line) -> None:
    """Add a line; several processes may."""
    with (out / RESULTS).open("a", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.write(json.dumps(line) + "\n")


def read(out: Path) -> list[Line]:
    """Every line so far, none where there is no file. Raises UserError for a damaged one."""
    path = out / RESULTS
    if not path.is_file():
        return []
    try:
        return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}): remove the broken line") from None


def still_to_do(runs: Sequence[Run], lines: Sequence[Line]) -> list[Run]:
    """The runs without a line. Raises UserError where a line of the same name came of other values."""
    keys = {(line["recipe"], line["seed"]): line["key"] for line in lines}
    for run in runs:
        if keys.get((run.recipe, run.seed), run.key) != run.key:
            raise UserError(
                f"{run.name} has results of other values or data there: name the recipe anew, or choose another --out"
            )
    return [run for run in runs if (run.recipe, run.seed) not in keys]


def table(lines: Sequence[Line]) -> str:
    """Markdown: mean ± sample deviation over seeds, 0..1; chosen on val, test only shown; the best on val is bold."""
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(line["recipe"], []).append(line)
    best = max(groups, key=lambda name: _mean(groups[name], "val"), default="")
    head = ("recipe", "seeds", "val mAP50-95", "val mAP50", "test mAP50-95", "test mAP50", "M params", "GMAC")
    rows: list[tuple[str, ...]] = [(*head, "images/s", "s")]
    for name, group in groups.items():
        rows.append(_cells(f"**{name}**" if name == best else name, group))
    written = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([written[0], "|" + "---|" * len(rows[0]), *written[1:]])


def _cells(name: str, group: Sequence[Line]) -> tuple[str, ...]:
    return (
        name,
        str(len(group)),
        *(_spread([line[split][key] for line in group]) for split in ("val", "test") for key in ("map50_95", "map50")),
        f"{group[0]['parameters'] / 1e6:.2f}",
        f"{group[0]['macs'] / 1e9:.2f}",
        f"{spread([line['images_per_second'] for line in group]).mean:.0f}",
        f"{spread([line['seconds'] for line in group]).mean:.0f}",
    )


def _spread(values: Sequence[float]) -> str:
    found = spread(values)
    return f"{found.mean:.4f}" + ("" if found.deviation is None else f" ± {found.deviation:.4f}")


def _mean(group: Sequence[Mapping[str, Any]], split: str) -> float:
    return spread([line[split]["map50_95"] for line in group]).mean
