"""Does a runtime compute what its reference computes? Compared tensor by tensor with Polygraphy's Comparator.

The reference of every export is the torch network that it was made from, fake quantizers included. Tensors are
compared with the runtime held to fp32, operator by operator: that proves the file. fp32 exports must agree element by
element. In INT8 a value on the edge of a step may round the other way and the difference then travels on, so there
the 99th percentile of the differences is judged. What the runtime's own fast kernels add (bf16, integers) is judged by
what comes out of them: detections found again, and points of mAP.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from polygraphy.backend.base import BaseRunner
from polygraphy.common import TensorMetadata
from polygraphy.comparator import Comparator, RunResults, SimpleCompareFunc
from polygraphy.logger import G_LOGGER
from torchvision.ops import box_iou

from netwright.deployment.runtimes.protocol import Pixels, Runtime
from netwright.evaluation.detections import Detections

QUANTILE = 0.99
MATCH_SCORE, MATCH_IOU, MATCH_SCORE_GAP = 0.3, 0.8, 0.1
MATCHED_SHARE = 0.95  # of the reference's detections
POINTS = {"fp32": 0.1}  # of mAP50-95 that a runtime may differ from its reference on val, by the precision used
POINTS_BELOW_FP32 = 0.5


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """Largest difference: absolute, in pixels of boxes and in scores, or relative. One of the two is enough.

    ``statistic`` is Polygraphy's: "elemwise" for every element, "quantile" for the 99th percentile.
    """

    atol: dict[str, float]
    rtol: float
    statistic: str


def exact_tolerance(atol: float, rtol: float) -> Tolerance:
    """For fp32: every element."""
    return Tolerance(atol={"boxes": atol, "scores": atol}, rtol=rtol, statistic="elemwise")


INT8_TOLERANCE = Tolerance(atol={"boxes": 0.5, "scores": 0.01}, rtol=0.005, statistic="quantile")


@dataclass(frozen=True, kw_only=True)
class Parity:
    """A verdict with its reason, and per output the differences that it rests on.

    ``matched`` is the share of the reference's detections that were found again, None where it had none;
    ``points_val`` the difference in points of mAP50-95 on val.
    """

    passed: bool
    reason: str
    outputs: dict[str, dict[str, float]] = field(default_factory=dict)
    matched: float | None = None
    points_val: float | None = None


class RuntimeRunner(BaseRunner):  # type: ignore[misc]  # polygraphy has no types
    """A Runtime as Polygraphy sees it."""

    def __init__(self, runtime: Runtime, shape: tuple[int, ...]) -> None:
        super().__init__(name=runtime.name)
        self._runtime, self._shape = runtime, shape

    def get_input_metadata_impl(self) -> Any:
        """One input, ``images``."""
        return TensorMetadata().add("images", np.float32, self._shape)

    def infer_impl(self, feed_dict: dict[str, Pixels]) -> "OrderedDict[str, NDArray[np.float32]]":
        """Boxes and scores by name."""
        boxes, scores = self._runtime.run(feed_dict["images"])
        self.inference_time = 0.0
        return OrderedDict(boxes=boxes, scores=scores)


def run_through(runtime: Runtime, batches: Sequence[Pixels]) -> Any:
    """Outputs of ``runtime`` for each batch, as Polygraphy's RunResults of one runner."""
    with G_LOGGER.verbosity(G_LOGGER.ERROR):
        return Comparator.run([RuntimeRunner(runtime, batches[0].shape)], data_loader=[{"images": b} for b in batches])


def compare_outputs(reference: Any, candidate: Any, tolerance: Tolerance) -> Parity:
    """Compare two RunResults of the same batches."""
    name = {"reference": reference[0][0], "candidate": f"{candidate[0][0]} "}  # names must differ
    both = RunResults([(name["reference"], reference[0][1]), (name["candidate"], candidate[0][1])])
    compare = SimpleCompareFunc(
        check_error_stat=tolerance.statistic, atol=tolerance.atol, rtol=tolerance.rtol, error_quantile=QUANTILE
    )
    with G_LOGGER.verbosity(G_LOGGER.CRITICAL):
        ((pair,),) = (result.values() for result in Comparator.compare_accuracy(both, compare_func=compare))
    outputs = {output: _worst([batch[output] for batch in pair]) for output in ("boxes", "scores")}
    failed = [output for output in outputs if not all(bool(batch[output]) for batch in pair)]
    if failed:
        gaps = ", ".join(f"{output} by up to {outputs[output]['max_abs']:.3g}" for output in failed)
        return Parity(passed=False, reason=f"{gaps} off ({tolerance.statistic})", outputs=outputs)
    return Parity(passed=True, reason=f"every output within tolerance ({tolerance.statistic})", outputs=outputs)


def matched_share(reference: Sequence[Detections], candidate: Sequence[Detections]) -> float | None:
    """Share of the reference's detections of at least 0.3 that the candidate has too; None where there are none.

    A match has the same class, an IoU of at least 0.8 and a score within 0.1; each detection matches once.
    """
    wanted = found = 0
    for before, after in zip(reference, candidate, strict=True):
        sure = before.above(MATCH_SCORE)
        wanted += len(sure.scores)
        found += _matches(sure, after)
    return found / wanted if wanted else None


def judge_detections(parity: Parity, *, matched: float | None, points: float, precision_used: str) -> Parity:
    """``parity`` with the runtime's own detections judged too.

    ``matched`` is their share found again, ``points`` how many points of mAP50-95 the runtime is above its reference.
    """
    known = replace(parity, matched=matched, points_val=points)
    limit = POINTS.get(precision_used, POINTS_BELOW_FP32)
    faults = [] if parity.passed else [parity.reason]
    if matched is not None and matched < MATCHED_SHARE:
        faults.append(f"{matched:.1%} of the reference's detections found again, {MATCHED_SHARE:.0%} wanted")
    if abs(points) > limit:
        faults.append(f"{points:+.2f} points of mAP50-95 on val, at most {limit} allowed in {precision_used}")
    return replace(known, passed=False, reason="; ".join(faults)) if faults else known


def _worst(results: Sequence[Any]) -> dict[str, float]:
    """Largest statistics over the batches. An infinite or undefined difference is written as the largest float."""
    names = {"max_abs": "max_absdiff", "mean_abs": "mean_absdiff", "quantile99_abs": "quantile_absdiff"}
    return {
        name: float(
            np.nan_to_num(max(getattr(result, part) or 0.0 for result in results), nan=np.finfo(np.float64).max)
        )
        for name, part in names.items()
    }


def _matches(before: Detections, after: Detections) -> int:
    if not len(before.scores) or not len(after.scores):
        return 0
    overlap = box_iou(torch.from_numpy(before.boxes), torch.from_numpy(after.boxes)).numpy()
    same = before.labels[:, None] == after.labels[None]
    near = np.abs(before.scores[:, None] - after.scores[None]) <= MATCH_SCORE_GAP
    overlap[~(same & near)] = 0
    taken = 0
    for row in overlap:
        best = int(row.argmax())
        if row[best] >= MATCH_IOU:
            overlap[:, best] = 0
            taken += 1
    return taken
