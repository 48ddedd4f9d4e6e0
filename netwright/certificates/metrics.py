"""The metrics that a certificate may name, by name. A new one is a line here and in stages/settings.py."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

from netwright.evaluation.calibration import calibration
from netwright.evaluation.coco_numbers import CocoNumbers, class_numbers, coco_numbers
from netwright.evaluation.evaluation import Evaluation
from netwright.evaluation.iou_thresholds import IOU_THRESHOLDS
from netwright.evaluation.pascal_voc import pascal_voc
from netwright.evaluation.tao import tao

# name here: name in CocoNumbers. Known overall and for each class.
COCO = {
    "map50_95": "ap",
    "map50": "ap50",
    "map75": "ap75",
    "map_small": "ap_small",
    "map_medium": "ap_medium",
    "map_large": "ap_large",
    "ar1": "ar1",
    "ar10": "ar10",
    "ar100": "ar100",
    "ar_small": "ar_small",
    "ar_medium": "ar_medium",
    "ar_large": "ar_large",
}
Values = dict[str, float | None]


def _voc(evaluation: Evaluation) -> Values:
    found = pascal_voc(evaluation)
    return {"voc2007": found.map07, "voc2010": found.map}


def _tao(evaluation: Evaluation) -> Values:
    found = tao(evaluation, iou=dict.fromkeys(evaluation.truth.classes, 0.5))
    return {"tao_sample": found.map_sample, "tao_integrate": found.map_integrate}


def _calibration(evaluation: Evaluation) -> Values:
    return {"calibration_error": calibration(evaluation).error}


# Known overall alone, at IoU 0.5, and who computes them.
OTHERS: dict[str, Callable[[Evaluation], Values]] = {
    "voc2007": _voc,
    "voc2010": _voc,
    "tao_sample": _tao,
    "tao_integrate": _tao,
    "calibration_error": _calibration,
}
METRICS = (*COCO, *OTHERS)
# Those with an interval, and the IoU thresholds that each is the mean over.
WITH_INTERVAL = {"map50_95": slice(0, len(IOU_THRESHOLDS)), "map50": slice(0, 1), "map75": slice(5, 6)}


def overall_values(evaluation: Evaluation, metrics: Sequence[str]) -> Values:
    """``metrics`` over all classes, 0..1; None where there is nothing to measure by. Raises KeyError for an unknown."""
    found = _named(coco_numbers(evaluation), metrics)
    for compute in dict.fromkeys(OTHERS[name] for name in metrics if name not in COCO):
        found |= compute(evaluation)
    return {name: found[name] for name in metrics}


def class_values(evaluation: Evaluation, metrics: Sequence[str]) -> Mapping[str, Values]:
    """Those of ``metrics`` that a class has, for each class in class order."""
    return {name: _named(numbers, metrics) for name, numbers in class_numbers(evaluation).items()}


def _named(numbers: CocoNumbers, metrics: Sequence[str]) -> Values:
    known = asdict(numbers)
    return {name: known[COCO[name]] for name in metrics if name in COCO}
