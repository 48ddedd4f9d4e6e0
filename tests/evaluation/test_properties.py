"""What must hold of every metric, on random scenes."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.evaluation.coco_numbers import coco_numbers
from netwright.evaluation.detections import Detections
from netwright.evaluation.evaluation import Evaluation, evaluate
from netwright.evaluation.pascal_voc import pascal_voc
from netwright.evaluation.tao import tao
from netwright.evaluation.tide import error_types
from tests.evaluation.scenes import random_scene

METRICS: dict[str, Callable[[Evaluation], float | None]] = {
    "coco": lambda run: coco_numbers(run).ap,
    "coco50": lambda run: coco_numbers(run).ap50,
    "voc07": lambda run: pascal_voc(run).map07,
    "voc": lambda run: pascal_voc(run).map,
    "tao_sample": lambda run: tao(run, iou=dict.fromkeys(run.truth.classes, 0.5)).map_sample,
    "tao_integrate": lambda run: tao(run, iou=dict.fromkeys(run.truth.classes, 0.5)).map_integrate,
    "tide": lambda run: error_types(run).ap50,
}
SEEDS = st.integers(0, 10_000)
FEW = settings(max_examples=25, deadline=None)


def _joined(row: Detections, box: tuple[int, ...], score: float, label: int) -> Detections:
    return Detections(
        np.vstack((row.boxes, np.array([box], np.float32))),
        np.append(row.scores, np.float32(score)),
        np.append(row.labels, np.int64(label)),
    )


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
@FEW
@given(seed=SEEDS)
def test_accuracy_is_a_share_and_knows_no_order_of_pictures_or_detections(
    metric: Callable[[Evaluation], float], seed: int
) -> None:
    truth, detections = random_scene(seed, pictures=6)
    value = metric(evaluate(truth, detections))
    if not sum(len(labels) for labels in truth.labels):
        return
    assert 0 <= value <= 1
    order = np.random.default_rng(seed).permutation(len(truth))
    turned = [Detections(row.boxes[::-1], row.scores[::-1], row.labels[::-1]) for row in detections]
    assert metric(evaluate(truth.take(order), [turned[index] for index in order])) == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
@FEW
@given(seed=SEEDS)
def test_a_false_alarm_never_helps_and_below_all_others_never_harms(
    metric: Callable[[Evaluation], float], seed: int
) -> None:
    truth, detections = random_scene(seed, pictures=6)
    value = metric(evaluate(truth, detections))
    if not sum(len(labels) for labels in truth.labels):
        return
    below = [_joined(row, (390, 290, 399, 299), -1.0, 0) for row in detections]
    above = [_joined(row, (390, 290, 399, 299), 2.0, 0) for row in detections]
    assert metric(evaluate(truth, below)) == pytest.approx(value, abs=1e-9)
    assert metric(evaluate(truth, above)) <= value + 1e-9
