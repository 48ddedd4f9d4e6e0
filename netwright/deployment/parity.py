"""Does a runtime compute what its reference computes? Compared tensor by tensor with Polygraphy's Comparator.

The reference of every export is the torch network that it was made from, fake quantizers included. Tensors are
compared with the runtime held to fp32, operator by operator: that proves the file. fp32 exports must agree element by
element. In INT8 a value on the edge of a step may round the other way, and the difference then travels on through a
patch of the picture; so there most elements must agree (``tolerance.py``). What the runtime's own fast kernels
add (bf16, integers) is judged by what comes out of them: detections found again, and points of mAP.
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
from netwright.deployment.tolerance import Tolerance
from netwright.evaluation.detections import Detections

MATCH_SCORE, MATCH_IOU, MATCH_SCORE_GAP = 0.3, 0.8, 0.1
MATCHED_SHARE = 0.95  # of the reference's detections
POINTS = {"fp32": 0.1}  # of mAP50-95 that a runtime may differ from its reference on val, by the precision used
POINTS_BELOW_FP32 = 1.0  # bf16 alone moved a val split of 87 pictures by 0.5


@dataclass(frozen=True, kw_only=True)
class Parity:
    """A verdict with its reason, and per output the differences that it rests on, with the tolerance for them.

    ``compared_in`` is the precision that the runtime computed in meanwhile, ``images`` the number of pictures.
    ``matched`` is the share of the reference's detections that were found again, None where it had none;
    ``points_val`` the difference in points of mAP50-95 on val.
    """

    passed: bool
    reason: str
    outputs: dict[str, dict[str, float]] = field(default_factory=dict)
    tolerance: dict[str, float | str] = field(default_factory=dict)
    compared_in: str = "fp32"
    images: int = 1
    matched: float | None = None
    points_val: float | None = None


class RuntimeRunner(BaseRunner):  # type: ignore[misc]  # polygraphy has no types
    """A Runtime as Polygraphy sees it: it takes all pictures at once and runs ``batch`` of them at a time."""

    def __init__(self, runtime: Runtime, shape: tuple[int, ...], batch: int) -> None:
        super().__init__(name=runtime.name)
        self._runtime, self._shape, self._batch = runtime, shape, batch

    def get_input_metadata_impl(self) -> Any:
        """One input, ``images``."""
        return TensorMetadata().add("images", np.float32, self._shape)

    def infer_impl(self, feed_dict: dict[str, Pixels]) -> "OrderedDict[str, NDArray[np.float32]]":
        """Boxes and scores by name."""
        pixels = feed_dict["images"]
        found = [self._runtime.run(pixels[at : at + self._batch]) for at in range(0, len(pixels), self._batch)]
        self.inference_time = 0.0
        boxes, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return OrderedDict(boxes=boxes, scores=scores)


def run_through(runtime: Runtime, pixels: Pixels, *, batch: int = 1) -> Any:
    """Outputs of ``runtime`` for all of ``pixels`` (N, 3, H, W), as Polygraphy's RunResults of one runner."""
    with G_LOGGER.verbosity(G_LOGGER.ERROR):
        return Comparator.run([RuntimeRunner(runtime, pixels.shape, batch)], data_loader=[{"images": pixels}])


def compare_outputs(reference: Any, candidate: Any, tolerance: Tolerance) -> Parity:
    """Compare two RunResults of the same pictures."""
    name = {"reference": reference[0][0], "candidate": f"{candidate[0][0]} "}  # names must differ
    both = RunResults([(name["reference"], reference[0][1]), (name["candidate"], candidate[0][1])])
    compare = SimpleCompareFunc(
        check_error_stat="elemwise" if tolerance.share is None else "quantile",
        atol=tolerance.atol,
        rtol=tolerance.rtol,
        error_quantile=tolerance.share,
    )
    with G_LOGGER.verbosity(G_LOGGER.CRITICAL):
        (((result,),),) = (pairs.values() for pairs in Comparator.compare_accuracy(both, compare_func=compare))
    outputs = {output: _differences(result[output]) for output in ("boxes", "scores")}
    known: dict[str, float | str] = {**tolerance.atol, "relative": tolerance.rtol, "of": str(tolerance)}
    failed = [output for output in outputs if not result[output]]
    gaps = ", ".join(f"{output} by up to {outputs[output]['max_abs']:.3g}" for output in failed)
    reason = f"{gaps} off ({tolerance})" if failed else f"within tolerance: {tolerance}"
    return Parity(passed=not failed, reason=reason, outputs=outputs, tolerance=known)


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


def _differences(result: Any) -> dict[str, float]:
    """Largest and mean difference, and that at the tolerance's share. What is no finite number becomes the largest."""
    names = {"max_abs": "max_absdiff", "mean_abs": "mean_absdiff", "share_abs": "quantile_absdiff"}
    found = {name: getattr(result, part) for name, part in names.items()}
    largest = np.finfo(np.float64).max
    return {
        name: float(np.nan_to_num(value, nan=largest, posinf=largest))
        for name, value in found.items()
        if value is not None
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
