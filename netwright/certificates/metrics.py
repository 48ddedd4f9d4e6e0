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
# Known overall alone, at IoU 0.5.
OTHERS: dict[str, Callable[[Evaluation], float | None]] = {
    "voc2007": lambda evaluation: pascal_voc(evaluation).map07,
    "voc2010": lambda evaluation: pascal_voc(evaluation).map,
    "tao_sample": lambda evaluation: tao(evaluation, iou=dict.fromkeys(evaluation.truth.classes, 0.5)).map_sample,
    "tao_integrate": lambda evaluation: tao(evaluation, iou=dict.fromkeys(evaluation.truth.classes, 0.5)).map_integrate,
    "calibration_error": lambda evaluation: calibration(evaluation).error,
}
METRICS = (*COCO, *OTHERS)
# Those with an interval, and the IoU thresholds that each is the mean over.
WITH_INTERVAL = {"map50_95": slice(0, len(IOU_THRESHOLDS)), "map50": slice(0, 1), "map75": slice(5, 6)}

Values = dict[str, float | None]


def overall_values(evaluation: Evaluation, metrics: Sequence[str]) -> Values:
    """``metrics`` over all classes, 0..1; None where there is nothing to measure by. Raises KeyError for an unknown."""
    coco = _named(coco_numbers(evaluation), metrics)
    return {name: coco[name] if name in coco else OTHERS[name](evaluation) for name in metrics}


def class_values(evaluation: Evaluation, metrics: Sequence[str]) -> Mapping[str, Values]:
    """Those of ``metrics`` that a class has, for each class in class order."""
    return {name: _named(numbers, metrics) for name, numbers in class_numbers(evaluation).items()}


def _named(numbers: CocoNumbers, metrics: Sequence[str]) -> Values:
    known = asdict(numbers)
    return {name: known[COCO[name]] for name in metrics if name in COCO}
