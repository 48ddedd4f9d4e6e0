"""Detections of several runs against those of another model or another tool: difference with its 95 % interval."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.recipe_results import Line
from benchmarks.recipe_training import detections_file
from netwright.errors import UserError
from netwright.evaluation.bootstrap import Comparison, drawn_units, paired_bootstrap
from netwright.evaluation.border import AtBorder, border_errors
from netwright.evaluation.detections import Detections, read_detections
from netwright.evaluation.evaluation import Evaluation, evaluate
from netwright.evaluation.truth import Truth

EMPTY = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))


def files_of(side: str, out: Path, lines: Sequence[Line], split: str) -> list[Path]:
    """The detections of a recipe's seeds, or the files that ``side`` names: paths with commas between.

    ``{split}`` in a path becomes val or test. Raises UserError for what is neither, and for a file that is not there.
    """
    seeds = sorted(line["seed"] for line in lines if line["recipe"] == side)
    files = [detections_file(out, f"{side}-{seed}") for seed in seeds]
    files = files or [Path(part.replace("{split}", split)) for part in side.split(",")]
    if missing := [str(file) for file in files if not file.is_file()]:
        if seeds:
            raise UserError(f"detections of {side} are missing: bring {', '.join(missing)} here, too")
        known = ", ".join(dict.fromkeys(line["recipe"] for line in lines)) or "none"
        raise UserError(f"{', '.join(missing)} is no file and no recipe of {out}; recipes there: {known}")
    return files


def evaluated(file: Path, truth: Truth, split: str, first_category: int) -> Evaluation:
    """``file`` (our Parquet, or COCO results) against ``truth``. Raises UserError where they do not belong together."""
    found = _from_parquet(file, split) if file.suffix == ".parquet" else _from_coco(file, truth, first_category)
    if strange := sorted(set(found) - set(truth.names)):
        raise UserError(f"{file} has detections of {strange[0]!r}, which is no picture of {split}")
    ordered = [found.get(name, EMPTY) for name in truth.names]
    labels = np.concatenate([one.labels for one in ordered])
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(truth.classes):
        raise UserError(f"{file} has categories outside {len(truth.classes)} classes: is --first-category right?")
    return evaluate(truth, ordered)


def difference_lines(
    first: Sequence[Evaluation], second: Sequence[Evaluation], *, names: tuple[str, str], split: str, resamples: int
) -> Iterator[str]:
    """Second minus first in points of 0.01, for both accuracies."""
    found = paired_bootstrap(first, second, resamples=resamples)
    runs = f"{found.runs[0]} against {found.runs[1]} runs"
    yield f"{split}: {names[1]} minus {names[0]}, {runs}, {drawn_units(found)}, {resamples} draws of both"
    pairs: tuple[tuple[str, Comparison], ...] = (("mAP50-95", found.map50_95), ("mAP50", found.map50))
    for name, pair in pairs:
        low, high = 100 * pair.difference.low, 100 * pair.difference.high
        verdict = "above zero" if low > 0 else "below zero" if high < 0 else "no difference is shown"
        yield (
            f"  {name:8} {pair.first.value:.4f} -> {pair.second.value:.4f}: {100 * pair.difference.value:+.2f} points, "
            f"{found.confidence:.0%} interval {low:+.2f} to {high:+.2f} ({verdict})"
        )


def border_lines(runs: Sequence[Evaluation], name: str) -> Iterator[str]:
    """How much of what ``runs`` got wrong at score 0.25 reaches the picture's border, as a mean over them."""
    yield f"{name}, at the border:"
    found = [border_errors(run) for run in runs]
    for label in dict.fromkeys(label for errors in found for label in errors):
        own = [errors[label] for errors in found if label in errors]
        boxes, alarms = _sum(one.boxes for one in own), _sum(one.false_alarms for one in own)
        shares = [0 if part.share is None else part.share for part in (boxes, alarms)]
        yield f"  {label}: {shares[0]:.0%} of boxes, {shares[1]:.0%} of {alarms.count / len(runs):.0f} false alarms"


def _sum(parts: Iterable[AtBorder]) -> AtBorder:
    pairs = [(part.count, part.at_border) for part in parts]
    return AtBorder(count=sum(count for count, _ in pairs), at_border=sum(near for _, near in pairs))


def _from_parquet(file: Path, split: str) -> dict[str, Detections]:
    """Detections of the one model that ``file`` is of. Raises UserError for several, for none, and for damage."""
    try:
        rows = read_detections(file, split)
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{file} is no Parquet of detections ({type(error).__name__}: {error})") from None
    if not rows:
        raise UserError(f"{file} says nothing of {split}: compare a file that has detections of val and test")
    models = list(dict.fromkeys(f"{export}/{runtime}" for export, runtime, *_ in rows))
    if len(models) > 1:
        raise UserError(f"{file} has {len(models)} models, {', '.join(models)}: give a file of one")
    found = {picture: own for *_, picture, own in rows}
    if len(found) < len(rows):
        raise UserError(f"{file} has a picture of {split} twice: give a file with each once")
    return found


def _from_coco(file: Path, truth: Truth, first_category: int) -> dict[str, Detections]:
    """COCO results; a picture is known by ``file_name``, by a text in ``image_id``, or by its number, 1.. in order."""
    try:
        rows: list[dict[str, Any]] = json.loads(file.read_text("utf-8"))
        grouped: dict[str, list[tuple[float, ...]]] = {}
        for row in rows:
            x, y, width, height = row["bbox"]
            label = row["category_id"] - first_category
            grouped.setdefault(_picture(row, truth), []).append((row["score"], x, y, x + width, y + height, label))
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise UserError(f"{file} is no list of COCO results ({type(error).__name__}: {error})") from None
    return {name: _detections(found) for name, found in grouped.items()}


def _picture(row: Mapping[str, Any], truth: Truth) -> str:
    if "file_name" in row:
        return Path(row["file_name"]).stem
    number: int | str = row["image_id"]
    if isinstance(number, str):
        return number
    if not 1 <= number <= len(truth):
        raise IndexError(f"image_id {number}, and there are {len(truth)} pictures")
    return truth.names[number - 1]


def _detections(rows: Sequence[tuple[float, ...]]) -> Detections:
    values = np.array(sorted(rows, key=lambda row: -row[0]), dtype=np.float64)
    return Detections(values[:, 1:5].astype(np.float32), values[:, 0].astype(np.float32), values[:, 5].astype(np.int64))
