"""What matters is found where it can be, and where it cannot be told, that is said."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from pipelines.compare.factors import Factor, varied
from pipelines.compare.importance import direction, importance
from pipelines.compare.weighing import Weighing
from pipelines.tracking.sweeps import TRIAL
from pipelines.tracking.trials import Trial


def factor(name: str, values: np.ndarray) -> Factor:
    return Factor(names=(name,), values=tuple(str(value) for value in values))


def sample(count: int, seed: int = 0) -> tuple[list[Factor], np.ndarray]:
    """y = a strongly falling, b half as strong in variance, c (words) and d (numbers) idle."""
    random = np.random.default_rng(seed)
    a, b = random.random(count), random.random(count)
    factors = [
        factor("a", a),
        factor("b", b),
        factor("c", random.choice(["x", "y", "z"], count)),
        factor("d", random.random(count)),
    ]
    return factors, -2 * a + np.sqrt(2) * b + random.normal(0, 0.05, count)


@pytest.mark.parametrize("count", [1, 5, 9])
def test_few_trials_tell_nothing(count: int) -> None:
    found = importance(*sample(count))
    assert found.method == "none"
    assert found.verdict == f"cannot be told from {count} trials: 10 are the least"


def test_ranks_find_what_matters_among_twenty() -> None:
    factors, y = sample(20)
    found = importance(factors, y.tolist())
    assert found.method == "ranks"
    by_name = {weight.factor: weight for weight in found.weights}
    assert found.weights[0].factor == "a"
    assert by_name["a"].clear
    assert not by_name["c"].clear
    assert not by_name["d"].clear
    values = [float(value) for value in factors[0].values]
    assert by_name["a"].direction == pytest.approx(stats.spearmanr(values, y).statistic)
    assert by_name["a"].share == pytest.approx(stats.spearmanr(values, y).statistic ** 2)


def test_chances_are_holms_of_the_permutation_test() -> None:
    factors, y = sample(12, seed=3)
    found = {weight.factor: weight.chance for weight in importance([factors[1]], y.tolist()).weights}
    values = np.array([float(value) for value in factors[1].values])
    exact = stats.spearmanr(values, y).pvalue
    assert found["b"] == pytest.approx(exact, abs=0.03)


def test_words_are_weighed_as_kruskal_and_wallis_do() -> None:
    random = np.random.default_rng(1)
    words = np.repeat(["x", "y", "z"], 6)
    y = np.repeat([0.0, 1.0, 0.5], 6) + random.normal(0, 0.4, 18)
    found = importance([factor("c", words)], y.tolist())
    statistic = stats.kruskal(y[:6], y[6:12], y[12:]).statistic
    assert found.weights[0].share == pytest.approx(statistic / 17)  # eta squared of ranks is H / (n - 1)
    assert found.weights[0].direction is None


def test_the_forest_gives_each_its_share_of_the_variance() -> None:
    found = importance(*sample(400))
    share = {weight.factor: weight.share for weight in found.weights}
    assert found.method == "forest"
    assert share["a"] == pytest.approx(4 / 6, abs=0.08)  # variances: 4/12 of a, 2/12 of b
    assert share["b"] == pytest.approx(2 / 6, abs=0.08)
    assert {weight.factor for weight in found.weights if weight.clear} == {"a", "b"}


def test_a_result_that_follows_nothing_cannot_be_told() -> None:
    factors, _ = sample(60)
    found = importance(factors, np.random.default_rng(9).random(60).tolist())
    assert found.method == "none"
    assert "learns nothing from 60 trials" in found.verdict


def test_the_same_seed_gives_the_same_weights() -> None:
    assert importance(*sample(40), seed=4) == importance(*sample(40), seed=4)


def test_equal_results_and_no_factor_are_said() -> None:
    assert importance(sample(20)[0], [1.0] * 20).verdict == "all trials have the same result"
    assert importance([], [1.0] * 20).verdict == "no parameter differs between these trials"


def test_direction_needs_numbers() -> None:
    assert direction(Factor(names=("c",), values=("x", "y")), np.array([1.0, 2.0])) is None


def test_parameters_that_move_together_are_one_factor() -> None:
    rows = [("small", "64", "0.1"), ("large", "128", "0.1"), ("small", "64", "0.2")]
    trials = [
        Trial(
            run=str(number),
            name="",
            experiment="1",
            status="FINISHED",
            deleted=False,
            started=0,
            params={"model.backbone": backbone, "model.channels": channels, "prune.threshold": threshold, "same": "1"},
            tags={TRIAL: f"prune.threshold={threshold}"},
        )
        for number, (backbone, channels, threshold) in enumerate(rows)
    ]
    found = varied(trials)
    assert [one.name for one in found] == ["prune.threshold", "model.backbone (+1)"]
    assert found[1].values == ("small", "large", "small")
    assert found[1].numbers is None


def test_a_process_of_its_own_weighs_as_this_one_does(tmp_path: Path) -> None:
    factors, y = sample(40)
    with Weighing(f"sqlite:///{tmp_path}/none.db") as weighing:
        weighing.begin({"many": (factors, y.tolist()), "few": (factors[:1], y[:5].tolist())})
        found = weighing.found()
    assert found == {"many": importance(factors, y.tolist()), "few": importance(factors[:1], y[:5].tolist())}
