"""Is one model better than another, or were the test pictures kind? The paired bootstrap over pictures.

Pictures, or their groups (see draws.py), are drawn with replacement, as many as there are, the same draw for both
models (Efron and Tibshirani 1993, chapter 13: percentile intervals). A picture drawn twice counts twice. hotcoco's own
``compare`` is not used: it drops the repeats, which leaves 63 % of the pictures in a sample and makes its intervals a
quarter too narrow.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netwright.errors import UserError
from netwright.evaluation.draws import blocks_of, count_groups, draw_pictures, ends_of
from netwright.evaluation.evaluation import Evaluation
from netwright.evaluation.matches import ClassMatches, match_pictures, weighted_accuracy
from netwright.evaluation.truth import Truth


@dataclass(frozen=True, kw_only=True)
class Interval:
    """``value`` on the pictures as they are, and the interval from ``low`` to ``high`` of the resamples."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two models, accuracy 0..1; ``difference`` is second minus first, ``share_better`` how often that is above 0."""

    first: Interval
    second: Interval
    difference: Interval
    share_better: float


@dataclass(frozen=True, kw_only=True)
class PairedBootstrap:
    """``map50_95`` and ``map50`` of both models, with what the intervals rest on.

    ``groups`` were drawn: as many as ``pictures`` where nothing is known of what belongs together.
    """

    map50_95: Comparison
    map50: Comparison
    pictures: int
    groups: int
    runs: tuple[int, int]
    resamples: int
    seed: int
    confidence: float


def drawn_units(found: PairedBootstrap) -> str:
    """What was drawn, in words: pictures, or their groups."""
    if found.groups == found.pictures:
        return f"{found.pictures} pictures"
    return f"{found.groups} groups of {found.pictures} pictures"


def paired_bootstrap(
    first: Sequence[Evaluation],
    second: Sequence[Evaluation],
    *,
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> PairedBootstrap:
    """Compare two models, each given by its runs (one for each seed of training), on the same pictures.

    A model's accuracy is the mean over its runs. With several runs these are drawn again too, each model's by
    themselves, so that the interval covers other pictures *and* other seeds; with one it covers other pictures only.
    A resample without any truth is left out. Raises UserError for fewer than two groups of pictures and for no truth,
    and ValueError where the runs are not of the same pictures.
    """
    truth = _common_truth([*first, *second])
    random = np.random.default_rng(seed)
    weights = draw_pictures(truth, resamples, random)
    one, other = (_accuracies(runs, weights, random) for runs in (first, second))
    return PairedBootstrap(
        map50_95=_compare(one.mean(axis=1), other.mean(axis=1), confidence),
        map50=_compare(one[:, 0], other[:, 0], confidence),
        pictures=len(truth),
        groups=count_groups(truth),
        runs=(len(first), len(second)),
        resamples=resamples,
        seed=seed,
        confidence=confidence,
    )


def class_bootstrap(
    first: Evaluation, second: Evaluation, *, resamples: int = 1000, seed: int = 0, confidence: float = 0.95
) -> dict[str, Comparison]:
    """Compare two models class by class in mAP50-95, in class order; classes without a box are left out.

    The draws are those of ``paired_bootstrap``; one without a box of a class says nothing of it. Every interval stands
    for itself: of twenty classes that do not differ, one will seem to.
    """
    truth = _common_truth([first, second])
    weights = draw_pictures(truth, resamples, np.random.default_rng(seed))
    return {
        name: _compare(_in_blocks([one], weights).mean(axis=1), _in_blocks([other], weights).mean(axis=1), confidence)
        for name, one, other in zip(truth.classes, match_pictures(first), match_pictures(second), strict=True)
        if one.positives.any()
    }


def _common_truth(runs: Sequence[Evaluation]) -> Truth:
    truth = runs[0].truth
    for run in runs:
        same = run.truth.names == truth.names and run.truth.classes == truth.classes
        same = same and all(map(np.array_equal, run.truth.boxes, truth.boxes))
        if not same or not all(map(np.array_equal, run.truth.labels, truth.labels)):
            raise ValueError("a paired comparison needs runs on the same pictures in the same order")
    boxes = sum(int((~crowd).sum()) for crowd in truth.crowd)
    if not boxes:
        raise UserError(f"an interval over {len(truth)} pictures without a box says nothing: compare on more")
    return truth


def _accuracies(
    runs: Sequence[Evaluation], weights: NDArray[np.int64], random: np.random.Generator
) -> NDArray[np.float64]:
    """Accuracy (1 + B, T): on the pictures as they are, then on each resample of pictures and runs."""
    found = np.stack([_in_blocks(match_pictures(run), weights) for run in runs])
    drawn = random.multinomial(len(runs), np.full(len(runs), 1 / len(runs)), size=len(weights) - 1) / len(runs)
    shares = np.vstack([np.full((1, len(runs)), 1 / len(runs)), drawn])
    mean: NDArray[np.float64] = np.einsum("br,rbt->bt", shares, found)
    return mean


def _in_blocks(classes: list[ClassMatches], weights: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.concatenate([weighted_accuracy(classes, part) for part in blocks_of(weights)])


def _compare(first: NDArray[np.float64], second: NDArray[np.float64], confidence: float) -> Comparison:
    difference = second - first
    return Comparison(
        first=_interval(first, confidence),
        second=_interval(second, confidence),
        difference=_interval(difference, confidence),
        share_better=float((difference[1:][~np.isnan(difference[1:])] > 0).mean()),
    )


def _interval(values: NDArray[np.float64], confidence: float) -> Interval:
    """The first of ``values`` is the one measured, the others are the resamples'."""
    low, high = ends_of(values, confidence)
    return Interval(value=float(values[0]), low=low, high=high)
