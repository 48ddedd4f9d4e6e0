"""``python -m pipelines.evaluate``: the detections of the benchmark, measured in every way; two rows are compared."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
from rich.console import Console

from netwright.artifacts.dataset import read_manifest
from netwright.errors import UserError
from netwright.evaluation.bootstrap import paired_bootstrap
from netwright.evaluation.detections import Detections, read_detections
from netwright.evaluation.evaluation import Evaluation, evaluate
from netwright.evaluation.truth import Truth, read_truth
from netwright.reporting.evaluation_numbers import Settings, numbers_of
from netwright.reporting.evaluation_page import write_evaluation_page
from pipelines.evaluation_lines import comparison_lines
from pipelines.evaluation_request import Request, parse
from pipelines.evaluation_tables import print_evaluations
from stages._entry.failures import guarded

DETECTIONS = Path("raw/detections.parquet")
WIDTH, COLUMN = 72, 24  # characters that the tables need, for names and for each row


def measure(request: Request) -> dict[str, Evaluation]:
    """The evaluation of each row asked for. Raises UserError where the report, a row or the dataset is missing."""
    file = request.reports / DETECTIONS
    names = request.rows or _headline_rows(request.reports / "benchmark.json")
    found = _read(file, request.split)
    if unknown := [name for name in names if name not in found]:
        known = ", ".join(found) or "none"
        raise UserError(f"no row {', '.join(unknown)} on split {request.split!r} in {file}, there is: {known}")
    truth = read_truth(request.data, request.split).with_crowds_as_boxes()
    return {name: evaluate(truth, _in_order(found[name], truth, file, request.data)) for name in dict.fromkeys(names)}


def _headline_rows(report: Path) -> tuple[str, ...]:
    try:
        value = json.loads(report.read_text("utf-8"))
        return value["baseline"], value["deployed"]
    except FileNotFoundError:
        raise UserError(f"{report} is missing: run dvc repro benchmark, or name --rows") from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{report} is damaged ({error}): run dvc repro benchmark, or name --rows") from None


def _read(file: Path, split: str) -> dict[str, dict[str, Detections]]:
    """Detections of ``split`` by row, then by picture."""
    found: dict[str, dict[str, Detections]] = {}
    try:
        for export, runtime, _, picture, detections in read_detections(file, split=split):
            found.setdefault(f"{export}@{runtime}", {})[picture] = _whole(detections, picture)
    except FileNotFoundError:
        raise UserError(f"{file} is missing: run dvc repro benchmark") from None
    except (pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{file} is damaged ({error}): run dvc repro benchmark") from None
    return found


def _whole(found: Detections, picture: str) -> Detections:
    if not len(found.boxes) == len(found.scores) == len(found.labels):
        raise ValueError(f"picture {picture!r} has boxes, scores and labels of different number")
    return found


def _in_order(found: Mapping[str, Detections], truth: Truth, file: Path, data: Path) -> list[Detections]:
    other = set(found) ^ set(truth.names)
    labels = np.concatenate([np.zeros(0, np.int64), *(row.labels for row in found.values())])
    strange = labels[(labels < 0) | (labels >= len(truth.classes))]
    if other or len(strange):
        what = f"{len(other)} pictures are in one alone" if other else f"a class of number {strange[0]} is found"
        raise UserError(f"{file} and {data} do not belong together ({what}): run dvc repro benchmark")
    return [found[name] for name in truth.names]


def main() -> None:
    """Parse the command line, measure, print and, where asked, draw the page."""
    request = parse(__doc__ or "")
    evaluations = measure(request)
    settings = Settings(split=request.split, iou=request.iou, score=request.score, tao_iou=request.tao_iou)
    numbers = {name: numbers_of(row, settings) for name, row in evaluations.items()}
    compared = _compared(request, *evaluations.values()) if len(evaluations) == 2 else []
    if request.page:  # before anything is printed: `| head` would end this process
        name = read_manifest(request.data).name
        write_evaluation_page(request.page, rows=numbers, dataset=name, folder=request.data, compared=compared)
    console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
    console.width = max(console.width, WIDTH + COLUMN * len(numbers))
    print_evaluations(numbers, console)
    for line in [*compared, *([f"page: {request.page}"] if request.page else [])]:
        console.print(line)


def _compared(request: Request, first: Evaluation, second: Evaluation) -> list[str]:
    """What to say of two rows; too little truth for an interval spoils neither the tables nor the page."""
    try:
        compared = paired_bootstrap([first], [second], resamples=request.resamples, seed=request.seed)
    except UserError as error:
        return [f"B - A: {error}"]
    return list(comparison_lines(compared))


if __name__ == "__main__":
    sys.exit(guarded("evaluate", main))
