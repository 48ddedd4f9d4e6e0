"""results.jsonl: a line for each training that ended; and the table of means and spreads."""

import fcntl
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.recipe_run import Run
from netwright.errors import UserError
from netwright.evaluation.spread import spread

RESULTS = "results.jsonl"
Line = dict[str, Any]


def append(out: Path, line: Line) -> None:
    """Add a line, whole or not at all; several processes may. One of the same run is not added again."""
    with (out / RESULTS).open("a+b", buffering=0) as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.seek(0)
        before = stream.read()
        if _same(line) in (_read_name(text) for text in before.splitlines()):
            return
        cut_off = before and not before.endswith(b"\n")
        rest = (b"\n" if cut_off else b"") + json.dumps(line).encode() + b"\n"
        try:
            while rest:
                rest = rest[stream.write(rest) :]
        except BaseException:
            stream.truncate(len(before))  # half a line would make every later reading fail
            raise


def read(out: Path) -> list[Line]:
    """Every run's line so far, none where there is no file. Raises UserError for a damaged one.

    Files from before ``append`` looked may have a run twice: the last counts, whose detections are those kept.
    """
    path = out / RESULTS
    if not path.is_file():
        return []
    try:
        lines: list[Line] = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}): remove the broken line") from None
    return list({_same(line): line for line in lines}.values())


def still_to_do(runs: Sequence[Run], lines: Sequence[Line], device: str) -> list[Run]:
    """The runs without a line. Raises UserError where a line of the same name came of other values or devices."""
    had = {(line["recipe"], line["seed"]): line for line in lines}
    for run in runs:
        line = had.get((run.recipe, run.seed))
        if line is None:
            continue
        if line["key"] != run.key:
            raise UserError(
                f"{run.name} has results of other values or data there: name the recipe anew, or choose another --out"
            )
        used = line.get("device", device)  # old lines do not say it
        if (used == "cpu") != (device == "cpu"):
            raise UserError(f"{run.name} has results of {used} there, --device is {device}: choose another --out")
    return [run for run in runs if (run.recipe, run.seed) not in had]


def table(lines: Sequence[Line]) -> str:
    """Markdown: mean ± sample deviation over seeds, 0..1; chosen on val, test only shown; the best on val is bold."""
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(line["recipe"], []).append(line)
    best = max(groups, key=lambda name: spread([line["val"]["map50_95"] for line in groups[name]]).mean, default="")
    head = ("recipe", "seeds", "val mAP50-95", "val mAP50", "test mAP50-95", "test mAP50", "M params", "GMAC")
    rows: list[tuple[str, ...]] = [(*head, "images/s", "s")]
    for name, group in groups.items():
        rows.append(_cells(f"**{name}**" if name == best else name, group))
    written = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([written[0], "|" + "---|" * len(rows[0]), *written[1:]])


def _same(line: Line) -> tuple[Any, ...]:
    return line["recipe"], line["seed"], line.get("key")


def _read_name(text: bytes) -> tuple[Any, ...] | None:
    """None for a damaged line, which must not cost the new one."""
    with suppress(ValueError, KeyError, TypeError):
        return _same(json.loads(text))
    return None


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
