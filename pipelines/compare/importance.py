"""How much each varied parameter decides a result, and how far these trials can tell.

From 30 trials on a random forest (Breiman 2001) predicts the result from the parameters on trials that it has not
seen. A parameter's importance is half of what the squared error grows by when that parameter's values are shuffled
among those trials, as a share of the result's variance: the total effect of Sobol and fANOVA, which sums to 1 where
parameters act apart. A column of shuffled values goes along, and what is no better than it is noise.

From 10 to 29 trials there is too little to hold out. The share of the ranks' variance that the parameter explains
stands in, with its probability under shuffling (Holm's correction for several parameters). Fewer tell nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.compare.factors import Factor

FEWEST, ENOUGH = 10, 30  # trials: for ranks, for the forest
LEAST_R2 = 0.1  # of the forest on trials that it has not seen; below, it has learnt nothing
_SHUFFLES, _PERMUTATIONS = 3, 2000
_MANY = 200  # trials from which on fewer rounds, trees and leaves do: a half is large then
_LEVEL = 0.05

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Weight:
    """One factor's ``share`` of the variance, about 0..1, and whether it stands out from chance (``clear``).

    ``spread`` is its deviation over the held-out halves (forest), ``chance`` the probability of such a share by chance
    (ranks), ``direction`` Spearman's rank correlation where the values are numbers.
    """

    factor: str
    share: float
    spread: float | None
    chance: float | None
    direction: float | None
    clear: bool


@dataclass(frozen=True, kw_only=True)
class Importance:
    """``method`` is forest, ranks or none; ``verdict`` says in one sentence how sure this is."""

    method: str
    verdict: str
    weights: tuple[Weight, ...]


def importance(factors: Sequence[Factor], results: Sequence[float], *, seed: int = 0) -> Importance:
    """Weigh ``factors`` by what they do to ``results`` (an entry per trial), heaviest first."""
    y = np.asarray(results, dtype=np.float64)
    if len(y) < FEWEST:
        return _nothing(f"cannot be told from {len(y)} trials: {FEWEST} are the least")
    if not factors:
        return _nothing("no parameter differs between these trials")
    if np.ptp(y) == 0:
        return _nothing("all trials have the same result")
    return (_by_forest if len(y) >= ENOUGH else _by_ranks)(factors, y, np.random.default_rng(seed))


def _nothing(verdict: str) -> Importance:
    return Importance(method="none", verdict=verdict, weights=())


def _by_ranks(factors: Sequence[Factor], y: Numbers, random: np.random.Generator) -> Importance:
    ranks = _ranks(y)
    drawn = np.array([random.permutation(ranks) for _ in range(_PERMUTATIONS)])
    shares, chances = [], []
    for factor in factors:
        share = _explained(factor, ranks[None])[0]
        shares.append(share)
        chances.append((1 + int((_explained(factor, drawn) >= share - 1e-12).sum())) / (1 + _PERMUTATIONS))
    weights = [
        Weight(
            factor=factor.name,
            share=float(share),
            spread=None,
            chance=chance,
            direction=direction(factor, y),
            clear=chance <= _LEVEL,
        )
        for factor, share, chance in zip(factors, shares, _holm(chances), strict=True)
    ]
    clear = sum(weight.clear for weight in weights)
    verdict = (
        f"rank correlation over {len(y)} trials, too few for a forest ({ENOUGH}): {clear} of {len(weights)} "
        f"differ from chance (p up to {_LEVEL}, Holm); effects of several together are not seen"
    )
    return Importance(method="ranks", verdict=verdict, weights=_sorted(weights))


def _explained(factor: Factor, ranks: Numbers) -> Numbers:
    """The share of the variance of each row of ``ranks`` (B, N): squared correlation, or between-group variance."""
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    total = (centred**2).sum(axis=1)
    if factor.numbers is not None:
        x = _ranks(np.array(factor.numbers))
        x = x - x.mean()
        share: Numbers = (centred @ x) ** 2 / ((x**2).sum() * total)
        return share
    codes = _codes(factor.values)
    between = sum(centred[:, codes == code].sum(axis=1) ** 2 / (codes == code).sum() for code in set(codes.tolist()))
    return np.asarray(between / total)


def _holm(chances: Sequence[float]) -> list[float]:
    """Holm's step-down correction."""
    order = sorted(range(len(chances)), key=lambda index: chances[index])
    corrected, largest = [0.0] * len(chances), 0.0
    for place, index in enumerate(order):
        largest = max(largest, min(1.0, (len(chances) - place) * chances[index]))
        corrected[index] = largest
    return corrected


def _by_forest(factors: Sequence[Factor], y: Numbers, random: np.random.Generator) -> Importance:
    from sklearn.ensemble import RandomForestRegressor

    columns = [factor.numbers if factor.numbers is not None else _codes(factor.values) for factor in factors]
    x = np.column_stack([*columns, random.permutation(len(y))]).astype(np.float64)
    scores, losses = [], []
    rounds, trees = (5, 50) if len(y) < _MANY else (2, 30)
    leaf = max(2, len(y) // 150)
    for _ in range(rounds):
        halves = np.array_split(random.permutation(len(y)), 2)
        for learn, look in (halves, halves[::-1]):
            forest = RandomForestRegressor(trees, min_samples_leaf=leaf, random_state=int(random.integers(2**31)))
            forest.fit(x[learn], y[learn])
            score, loss = _held_out(forest, x[look], y[look], random)
            scores.append(score)
            losses.append(loss)
    found, r2 = np.array(losses) / 2, float(np.mean(scores))
    if r2 < LEAST_R2:
        return _nothing(
            f"cannot be told: a random forest learns nothing from {len(y)} trials (R² {r2:.2f} on trials held out)"
        )
    share, spread = found.mean(axis=0), found.std(axis=0, ddof=1)
    noise = share[-1] + 2 * spread[-1]
    weights = [
        Weight(
            factor=factor.name,
            share=float(share[index]),
            spread=float(spread[index]),
            chance=None,
            direction=direction(factor, y),
            clear=bool(share[index] - spread[index] > max(noise, 0.0)),
        )
        for index, factor in enumerate(factors)
    ]
    clear = sum(weight.clear for weight in weights)
    verdict = (
        f"random forest over {len(y)} trials, shuffled values on held-out halves; it explains {100 * r2:.0f} % of "
        f"the variance there; {clear} of {len(weights)} stand out from noise"
    )
    return Importance(method="forest", verdict=verdict, weights=_sorted(weights))


def _held_out(forest: object, x: Numbers, y: Numbers, random: np.random.Generator) -> tuple[float, Numbers]:
    """R² on (x, y), and by how much of y's variance the error grows when each column of ``x`` is shuffled.

    All shuffled copies are predicted in one call: a forest's calls cost more than its rows.
    """
    count, width = x.shape
    copies = np.tile(x, (width * _SHUFFLES, 1, 1)).reshape(width, _SHUFFLES, count, width)
    for column in range(width):
        for copy in range(_SHUFFLES):
            copies[column, copy, :, column] = random.permutation(x[:, column])
    rows = np.concatenate([x, copies.reshape(-1, width)])
    predicted = forest.predict(rows).reshape(1 + width * _SHUFFLES, count)  # type: ignore[attr-defined]
    errors = ((predicted - y) ** 2).mean(axis=1) / max(float(y.var()), 1e-300)
    return float(1 - errors[0]), errors[1:].reshape(width, _SHUFFLES).mean(axis=1) - errors[0]


def direction(factor: Factor, y: Numbers) -> float | None:
    """Spearman's rank correlation; None where the values are no numbers."""
    if factor.numbers is None or np.ptp(y) == 0:
        return None
    return float(np.corrcoef(_ranks(np.array(factor.numbers)), _ranks(y))[0, 1])


def _ranks(values: Numbers) -> Numbers:
    """Ranks from 1, equal values sharing the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    mean: Numbers = (ends - (counts - 1) / 2).astype(np.float64)[places]
    return mean


def _codes(values: Sequence[str]) -> NDArray[np.int64]:
    return np.unique(np.array(values), return_inverse=True)[1].astype(np.int64)


def _sorted(weights: list[Weight]) -> tuple[Weight, ...]:
    return tuple(sorted(weights, key=lambda weight: -weight.share))
