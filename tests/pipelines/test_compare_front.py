"""The front holds what nothing beats, and its knee is the nearest to the best of everything."""

import numpy as np
import pytest

from pipelines.compare.front import Front, eligible, knee, pareto_front, undominated
from pipelines.tracking.trials import ACCURACY, LATENCY, SIZE, Trial


def trial(run: str, accuracy: float, latency: float, size: float, **tags: str) -> Trial:
    return Trial(
        run=run,
        name=run,
        experiment="1",
        status="FINISHED",
        deleted=False,
        started=0,
        metrics={ACCURACY: accuracy, LATENCY: latency, SIZE: size},
        tags={f"deployed.{name}": value for name, value in tags.items()},
    )


def beats(one: np.ndarray, other: np.ndarray) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True)) and any(a < b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("seed", range(5))
def test_undominated_is_what_no_other_row_beats(seed: int) -> None:
    costs = np.random.default_rng(seed).integers(0, 6, (40, 3)).astype(float)
    wanted = [not any(beats(other, row) for other in costs) for row in costs]
    assert undominated(costs).tolist() == wanted
    assert 0 < sum(wanted) < 40


def test_the_front_is_sorted_by_accuracy_and_leaves_the_beaten_out() -> None:
    trials = [trial("a", 0.5, 1, 1e5), trial("b", 0.7, 4, 1e6), trial("c", 0.6, 2, 3e5), trial("d", 0.59, 2, 3e5)]
    assert pareto_front(trials) == Front(members=("b", "c", "a"), knee="c")


def test_of_equal_trials_the_oldest_stands_for_all() -> None:
    assert pareto_front([trial("first", 0.5, 1, 1), trial("again", 0.5, 1, 1)]).members == ("first",)


def test_the_knee_does_not_change_with_units() -> None:
    costs = np.array([[-0.7, 4.0, 6.0], [-0.68, 2.0, 5.0], [-0.4, 1.0, 4.0]])
    assert knee(costs) == 1
    assert knee(costs * (100, 3, 0.1) + (5, 0, -7)) == 1


def test_two_points_have_no_knee() -> None:
    assert pareto_front([trial("a", 0.5, 1, 1e5), trial("b", 0.7, 4, 1e6)]).knee is None


@pytest.mark.parametrize(
    ("tags", "reason"),
    [({"disturbed": "true"}, "disturbed"), ({"parity": "failed"}, "parity failed"), ({"disturbed": "false"}, "")],
)
def test_a_disturbed_or_wrong_trial_cannot_stand_on_the_front(tags: dict[str, str], reason: str) -> None:
    best = trial("best", 0.9, 1, 1, **tags)
    assert eligible(best) == reason
    assert ("best" in pareto_front([best, trial("b", 0.5, 2, 2)]).members) is not bool(reason)


def test_a_trial_without_numbers_is_not_measured() -> None:
    bare = Trial(run="x", name="x", experiment="1", status="FINISHED", deleted=False, started=0)
    assert eligible(bare) == "not measured"
    assert pareto_front([bare]) == Front(members=(), knee=None)
