"""``python -m pipelines.evaluate``: the detections of the benchmark, measured in every way; two rows are compared."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from rich.console import Console

from netwright.errors import UserError
from netwright.evaluation.bootstrap import paired_bootstrap
from netwright.evaluation.detections import Detections, read_detections
from netwright.evaluation.evaluation import Evaluation, evaluate
from netwright.evaluation.truth import Truth, read_truth
from netwright.types import SPLITS
from pipelines.evaluation_tables import comparison_lines, print_evaluations
from stages import paths
from stages._entry.failures import guarded

DETECTIONS = Path("raw/detections.parquet")
MOST_ROWS = 8
WIDTH = 120  # characters that the tables need


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked: ``rows`` as ``export@runtime`` (none: the benchmark's baseline and deployed), and from where."""

    rows: tuple[str, ...] = ()
    split: str = "test"
    reports: Path = paths.REPORTS
    data: Path = paths.CONVERTED
    iou: float = 0.5
    score: float = 0.25
    resamples: int = 1000
    seed: int = 0


def measure(request: Request) -> dict[str, Evaluation]:
    """The evaluation of each row asked for. Raises UserError where the report, a row or the dataset is missing."""
    file = request.reports / DETECTIONS
    names = request.rows or _headline_rows(request.reports / "benchmark.json")
    found = _read(file, request.split)
    if unknown := [name for name in names if name not in found]:
        known = ", ".join(found) or "none"
        raise UserError(f"no row {', '.join(unknown)} on split {request.split!r} in {file}, there is: {known}")
    truth = read_truth(request.data, request.split)
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
        for export, runtime, own_split, picture, detections in read_detections(file):
            if own_split == split:
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


def _request(arguments: Sequence[str] | None = None) -> Request:
    parser = argparse.ArgumentParser(prog="python -m pipelines.evaluate", description=__doc__)
    parser.add_argument("--rows", nargs="+", default=[], metavar="EXPORT@RUNTIME", help="default: baseline, deployed")
    parser.add_argument("--split", choices=SPLITS[1:], default="test", help="the detections kept are of val and test")
    parser.add_argument("--reports", type=Path, default=paths.REPORTS, help="what the benchmark stage wrote")
    parser.add_argument("--data", type=Path, default=paths.CONVERTED, help="the converted dataset")
    parser.add_argument("--iou", type=float, default=0.5, help="of Pascal VOC's and TAO's AP, above 0, up to 1")
    parser.add_argument("--score", type=float, default=0.25, help="least score shown, for the worst pictures")
    parser.add_argument("--resamples", type=int, default=1000, help="of the bootstrap, 100 or more")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap, 0 or more")
    given = parser.parse_args(arguments)
    if len(given.rows) > MOST_ROWS:
        parser.error(f"at most {MOST_ROWS} rows fit side by side")
    if not (0 < given.iou <= 1 and given.resamples >= 100 and given.seed >= 0):
        parser.error("--iou must be above 0 and up to 1, --resamples 100 or more, --seed 0 or more")
    return Request(**(vars(given) | {"rows": tuple(given.rows)}))


def main() -> None:
    """Parse the command line, measure and print."""
    request = _request()
    evaluations = measure(request)
    console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
    console.width = max(console.width, WIDTH)
    print_evaluations(evaluations, console, split=request.split, iou=request.iou, score=request.score)
    if len(evaluations) == 2:
        first, second = evaluations.values()
        compared = paired_bootstrap([first], [second], resamples=request.resamples, seed=request.seed)
        for line in comparison_lines(compared):
            console.print(line)


if __name__ == "__main__":
    sys.exit(guarded("evaluate", main))
