"""Percentiles, pairing and turn-taking, on clocks that the tests own."""

import numpy as np
import pytest

from netwright.deployment import latency
from netwright.deployment.latency import Samples, measure, median_ratio, percentiles
from netwright.deployment.timing_lock import Neighbours, timing_alone


class Clock:
    """A clock that only calls move on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0
        monkeypatch.setattr(latency.time, "perf_counter_ns", lambda: self.now)
        monkeypatch.setattr(latency.time, "sleep", lambda _: None)

    def taking(self, milliseconds: float, log: list[str], name: str):  # type: ignore[no-untyped-def]
        def call() -> None:
            self.now += int(milliseconds * 1e6)
            log.append(name)

        return call


def test_percentiles_are_numpys() -> None:
    values = np.random.default_rng(0).gamma(2.0, 3.0, 101)
    assert percentiles(values) == {f"p{rank}": pytest.approx(np.percentile(values, rank)) for rank in (50, 90, 95, 99)}


def test_every_row_is_timed_once_a_round_after_an_untimed_call(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, log = Clock(monkeypatch), list[str]()
    rows = {"a": clock.taking(2.0, log, "a"), "b": clock.taking(5.0, log, "b")}
    samples = measure(rows, warmup=3, rounds=4, seconds_per_row=10)
    assert samples["a"].milliseconds.tolist() == [2.0] * 4
    assert samples["b"].rounds.tolist() == [0, 1, 2, 3]
    turns = log[6:]
    assert len(turns) == 16
    assert all(turns[i] == turns[i + 1] for i in range(0, 16, 2))


def test_slow_rows_sit_out_rounds_and_still_meet_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, log = Clock(monkeypatch), list[str]()
    times = {"quick": 1.0, "slower": 17.0, "slow": 40.0, "slowest": 5000.0}
    rows = {name: clock.taking(milliseconds, log, name) for name, milliseconds in times.items()}
    rounds = {name: taken.rounds for name, taken in measure(rows, warmup=1, rounds=50, seconds_per_row=1).items()}
    assert rounds["quick"].tolist() == list(range(50))
    assert rounds["slower"].tolist() == list(range(0, 50, 2))
    assert [len(rounds[name]) for name in ("slow", "slowest")] == [13, 13]  # the next fewer would be 7
    for often, seldom in zip(times, list(times)[1:], strict=False):
        assert set(rounds[seldom]) <= set(rounds[often])


def test_ratio_is_paired_by_round() -> None:
    drift = np.linspace(1, 10, 40)  # the machine slows down tenfold, both rows alike
    slow = Samples(np.arange(40), 3 * drift)
    fast = Samples(np.arange(0, 40, 2), drift[::2])
    ratio = median_ratio(slow, fast)
    assert (ratio.median, ratio.low, ratio.high) == pytest.approx((3.0, 3.0, 3.0))


def test_ratio_interval_holds_the_median_and_narrows_with_more_rounds() -> None:
    random = np.random.default_rng(1)

    def width(count: int) -> float:
        pair = [Samples(np.arange(count), scale * random.lognormal(0, 0.1, count)) for scale in (2.0, 1.0)]
        ratio = median_ratio(*pair)
        assert ratio.low < 2.0 < ratio.high
        return ratio.high - ratio.low

    assert width(2000) < width(50)


def test_rows_without_a_shared_round_have_no_ratio() -> None:
    with pytest.raises(ValueError, match="share no round"):
        median_ratio(Samples(np.array([1]), np.ones(1)), Samples(np.array([2]), np.ones(1)))


def test_others_work_disturbs_and_ones_own_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    from netwright.deployment import timing_lock

    seconds = {"machine": 100.0, "own": 10.0, "clock": 0.0}
    monkeypatch.setattr(timing_lock, "_machine_seconds", lambda: seconds["machine"])
    monkeypatch.setattr(timing_lock.time, "process_time", lambda: seconds["own"])
    monkeypatch.setattr(timing_lock.time, "perf_counter", lambda: seconds["clock"])
    quiet = Neighbours().start()
    seconds.update(machine=110.0, own=19.9, clock=10.0)
    assert not quiet.disturbed()
    busy = Neighbours().start()
    seconds.update(machine=130.0, own=29.9, clock=20.0)
    assert busy.load() == pytest.approx(1.0)
    assert busy.disturbed()


def test_timing_lock_is_exclusive(tmp_path) -> None:  # type: ignore[no-untyped-def]
    import fcntl

    path = tmp_path / "scratch" / "timing.lock"
    with timing_alone(path), path.open("w") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
