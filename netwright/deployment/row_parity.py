"""Parity of a benchmark's rows: every export on every runtime against the torch network that it was made from."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np

from netwright.artifacts.report import POINT
from netwright.data.feeding.pictures import PictureSet
from netwright.deployment.parity import (
    compare_outputs,
    judge_detections,
    matched_share,
    run_through,
)
from netwright.deployment.rows import Row
from netwright.deployment.runtimes.available import open_runtime
from netwright.deployment.runtimes.protocol import Conditions, Pixels
from netwright.deployment.runtimes.torch_runtime import DoubleTorchRuntime
from netwright.deployment.tolerance import SHARE, Tolerance, int8_tolerance


def compare_rows(rows: Sequence[Row], pictures: PictureSet, *, exact: Tolerance, conditions: Conditions) -> None:
    """Parity of every row that was scored with the torch row of the same model, on ``pictures``.

    ``exact`` is the tolerance of fp32 exports.
    """
    pixels = pictures.pixels.astype(np.float32)
    strict = replace(conditions, exact=True)
    for model in dict.fromkeys(row.entry.model for row in rows):
        mine = [row for row in rows if row.entry.model == model and row.runtime is not None]
        reference = next((row for row in mine if row.runtime_name == "torch"), None)
        if reference is None:
            continue
        torch_runtime = reference.runtime
        if torch_runtime is None or conditions.device != "cpu":
            torch_runtime = open_runtime("torch", reference.source, replace(strict, device="cpu"))
        expected = run_through(torch_runtime, pixels, batch=conditions.batch)
        noise: dict[str, float] = {}
        if any(row.entry.precision != "fp32" for row in mine):
            double = DoubleTorchRuntime(reference.source, replace(strict, device="cpu"))
            noise = rounding_noise(expected, run_through(double, pixels, batch=conditions.batch))
        for row in mine:
            tolerance = exact if row.entry.precision == "fp32" else int8_tolerance(row.runtime_name, noise)
            if row is not reference:
                row.attempt("parity", partial(_compare, row, reference, expected, tolerance, pixels, strict))


def rounding_noise(single: Any, double: Any) -> dict[str, float]:
    """By output, the difference between two RunResults of one network, in float32 and float64, at SHARE."""
    (one,), (other,) = single[0][1], double[0][1]
    return {output: float(np.quantile(np.abs(one[output] - other[output]), share)) for output, share in SHARE.items()}


def parity_report(row: Row) -> dict[str, Any]:
    """The row's parity as benchmark.json has it."""
    reference = f"torch network of models/{row.entry.model}"
    if row.parity is not None:
        found = {name: value for name, value in asdict(row.parity).items() if name != "passed"}
        return found | {"status": "passed" if row.parity.passed else "failed", "reference": reference}
    if row.runtime_name == "torch" and row.status == "ok":
        return {"status": "reference", "reference": reference, "reason": "it is the reference"}
    return {
        "status": "not_run",
        "reference": reference,
        "reason": row.reason or "no torch row of the same model ran",
    }


def _compare(row: Row, reference: Row, expected: Any, tolerance: Tolerance, pixels: Pixels, strict: Conditions) -> None:
    if row.facts is None:
        return
    runtime = open_runtime(row.runtime_name, row.source, replace(strict, device=row.facts.device))
    candidate = run_through(runtime, pixels, batch=strict.batch)
    judged = judge_detections(
        compare_outputs(expected, candidate, tolerance),
        matched=matched_share(reference.found["val"], row.found["val"]),
        points=(row.accuracy["val"].map50_95 - reference.accuracy["val"].map50_95) / POINT,
        precision_used=row.facts.precision_used,
    )
    row.parity = replace(judged, compared_in=runtime.describe().precision_used, images=len(pixels))


def first_pictures(pictures: PictureSet, count: int) -> PictureSet:
    """The first ``count`` pictures of the set, or all of them."""
    parts = {name: getattr(pictures, name)[:count] for name in ("names", "pixels", "geometries", "boxes", "labels")}
    return replace(pictures, **parts)
