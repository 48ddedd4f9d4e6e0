"""The command line of ``python -m pipelines.evaluate``."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from netwright.types import SPLITS
from stages import paths

MOST_ROWS = 8


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked: ``rows`` as ``export@runtime`` (none: the benchmark's baseline and deployed), and from where.

    ``tao_iou`` are TAO's IoUs of single classes, ``page`` the file of the page (None: no page).
    """

    rows: tuple[str, ...] = ()
    split: str = "test"
    reports: Path = paths.REPORTS
    data: Path = paths.CONVERTED
    iou: float = 0.5
    tao_iou: Mapping[str, float] = field(default_factory=dict)
    score: float = 0.25
    page: Path | None = None
    resamples: int = 1000
    seed: int = 0


def parse(description: str, arguments: Sequence[str] | None = None) -> Request:
    """The request of the command line; exits with 2 and one line where it is wrong."""
    parser = _parser(description)
    given = parser.parse_args(arguments)
    if len(given.rows) > MOST_ROWS:
        parser.error(f"at most {MOST_ROWS} rows fit side by side")
    if not (0 < given.iou <= 1 and given.resamples >= 100 and given.seed >= 0):
        parser.error("--iou must be above 0 and up to 1, --resamples 100 or more, --seed 0 or more")
    if not 0 <= given.score <= 1:
        parser.error("--score must be a number of 0 to 1")
    if given.page and (given.page.suffix != ".html" or given.page.is_dir()):
        parser.error("--page must be a file whose name ends in .html")
    return Request(**(vars(given) | {"rows": tuple(given.rows), "tao_iou": dict(given.tao_iou)}))


def _parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipelines.evaluate", description=description)
    parser.add_argument("--rows", nargs="+", default=[], metavar="EXPORT@RUNTIME", help="default: baseline, deployed")
    parser.add_argument("--split", choices=SPLITS[1:], default="test", help="the detections kept are of val and test")
    parser.add_argument("--reports", type=Path, default=paths.REPORTS, help="what the benchmark stage wrote")
    parser.add_argument("--data", type=Path, default=paths.CONVERTED, help="the converted dataset")
    parser.add_argument("--iou", type=float, default=0.5, help="of Pascal VOC's and TAO's AP, above 0, up to 1")
    parser.add_argument(
        "--tao-iou", nargs="+", action="extend", type=_class_iou, default=[], metavar="CLASS=IOU",
        help="TAO's IoU for single classes, all others have --iou",
    )  # fmt: skip
    parser.add_argument("--score", type=float, default=0.25, help="least score shown, 0 to 1")
    parser.add_argument("--page", type=Path, metavar="FILE.html", help="draw curves and the worst pictures there too")
    parser.add_argument("--resamples", type=int, default=1000, help="of the bootstrap, 100 or more")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap, 0 or more")
    return parser


def _class_iou(text: str) -> tuple[str, float]:
    """``CLASS=0.7``; a class's name may hold an equals sign itself."""
    name, _, value = text.rpartition("=")
    try:
        iou = float(value)
    except ValueError:
        iou = 0.0
    if not (name and 0 < iou <= 1):
        raise argparse.ArgumentTypeError(f"{text!r} is not CLASS=IOU with an IoU above 0 and up to 1")
    return name, iou
