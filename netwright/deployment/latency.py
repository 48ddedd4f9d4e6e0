"""Latency of several rows, measured in turns so that a slow minute hits all alike."""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from netwright.artifacts.whole_file import whole_file

PERCENTILES = (50, 90, 95, 99)
PAUSE = 0.01  # seconds before a row's turn: the threads of the row before spin on for some milliseconds
FEWEST = 8  # calls of the slowest row: an interval from fewer says little


@dataclass(frozen=True)
class Samples:
    """Timed calls of one row: ``rounds`` (n,) int64 says in which round each of ``milliseconds`` (n,) was taken."""

    rounds: NDArray[np.int64]
    milliseconds: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Median over rounds of slow / fast, with a 95 % bootstrap interval."""

    median: float
    low: float
    high: float


def measure(
    rows: Mapping[str, Callable[[], object]], *, warmup: int, rounds: int, seconds_per_row: float, seed: int = 0
) -> dict[str, Samples]:
    """Time every row once in each round, rows in a new random order each time, after one untimed call of the row.

    A pause lets the row before wind down its threads, the untimed call brings this one's data back into the cache.
    A row that would take longer than ``seconds_per_row`` sits out rounds, evenly, but takes part in at least eight.
    Two rows share all rounds of the one that takes part less often, so that they can be paired.
    """
    order = random.Random(seed)
    every = {name: _stride(call, warmup, rounds, seconds_per_row) for name, call in rows.items()}
    taken: dict[str, list[tuple[int, float]]] = {name: [] for name in rows}
    names = list(rows)
    for number in range(rounds):
        order.shuffle(names)
        for name in names:
            if number % every[name] == 0:
                time.sleep(PAUSE)
                rows[name]()
                taken[name].append((number, _milliseconds(rows[name])))
    return {name: _samples(pairs) for name, pairs in taken.items()}


def percentiles(milliseconds: NDArray[np.float64]) -> dict[str, float]:
    """p50, p90, p95 and p99, linearly interpolated."""
    values = np.percentile(milliseconds, PERCENTILES)
    return {f"p{rank}": float(value) for rank, value in zip(PERCENTILES, values, strict=True)}


def median_ratio(slow: Samples, fast: Samples, *, draws: int = 2000, seed: int = 0) -> Ratio:
    """Median of slow / fast over the rounds that both took part in, paired; interval by resampling rounds.

    Raises ValueError when they share no round.
    """
    shared, first, second = np.intersect1d(slow.rounds, fast.rounds, return_indices=True)
    if not len(shared):
        raise ValueError("the two rows share no round")
    ratios = slow.milliseconds[first] / fast.milliseconds[second]
    picks = np.random.default_rng(seed).integers(0, len(ratios), size=(draws, len(ratios)))
    low, high = np.percentile(np.median(ratios[picks], axis=1), [2.5, 97.5])
    return Ratio(median=float(np.median(ratios)), low=float(low), high=float(high))


def write_latencies(path: Path, samples: Mapping[tuple[str, str], Samples]) -> None:
    """Write every timed call, by (export, runtime), to a Parquet file: export, runtime, round, milliseconds."""
    rows = [
        {"export": export, "runtime": runtime, "round": int(number), "milliseconds": float(taken)}
        for (export, runtime), row in samples.items()
        for number, taken in zip(row.rounds, row.milliseconds, strict=True)
    ]
    strings, numbers = pa.string(), pa.int64()
    columns = [("export", strings), ("runtime", strings), ("round", numbers), ("milliseconds", pa.float64())]
    with whole_file(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema(columns)), temporary, compression="zstd")


def read_latencies(path: Path) -> dict[tuple[str, str], Samples]:
    """Inverse of ``write_latencies``."""
    taken: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for row in pq.read_table(path).to_pylist():
        taken.setdefault((row["export"], row["runtime"]), []).append((row["round"], row["milliseconds"]))
    return {name: _samples(pairs) for name, pairs in taken.items()}


def _stride(call: Callable[[], object], warmup: int, rounds: int, seconds: float) -> int:
    """Warm up, and from the quickest warm call say that the row takes part in every n-th round: 1, 2, 4, 8..."""
    quickest = min(_milliseconds(call) for _ in range(max(warmup, 1)))
    affordable = int(seconds * 1000 / (2 * quickest))  # two calls a round
    stride = 1
    while -(-rounds // stride) > affordable and -(-rounds // (2 * stride)) >= FEWEST:
        stride *= 2
    return stride


def _milliseconds(call: Callable[[], object]) -> float:
    start = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - start) / 1e6


def _samples(pairs: list[tuple[int, float]]) -> Samples:
    return Samples(np.array([number for number, _ in pairs], np.int64), np.array([ms for _, ms in pairs], np.float64))
