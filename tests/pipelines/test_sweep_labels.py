"""What a trial is called for people: that which the other trials do not have."""

from pipelines.compare.factors import labels
from pipelines.sweep.state import label_of, shared_overrides
from pipelines.tracking.sweeps import LABEL, TRIAL
from pipelines.tracking.trials import Trial


def test_what_all_trials_have_is_left_out_of_a_label() -> None:
    trials = [("qat.epochs=1", "prune.threshold=0.1"), ("prune.threshold=0.2", "qat.epochs=1"), ("qat.epochs=1",)]
    shared = shared_overrides(trials)
    assert [label_of(overrides, shared) for overrides in trials] == ["prune.threshold=0.1", "prune.threshold=0.2", ""]


def test_a_single_trial_shares_nothing() -> None:
    assert shared_overrides([("qat.epochs=1",)]) == set()


def trial(run: str, label: str, overrides: str) -> Trial:
    return Trial(
        run=run,
        name="n",
        experiment="1",
        status="FINISHED",
        deleted=False,
        started=0,
        tags={LABEL: label, TRIAL: overrides},
    )


def test_runs_of_two_sweeps_that_are_called_alike_have_all_their_overrides() -> None:
    first = trial("a", "prune.threshold=0.1", "prune.threshold=0.1,qat.epochs=1")
    second = trial("b", "prune.threshold=0.1", "prune.threshold=0.1,qat.epochs=5")
    third = trial("c", "prune.threshold=0.2", "prune.threshold=0.2,qat.epochs=5")
    assert labels([first, third], []) == {"a": "prune.threshold=0.1", "c": "prune.threshold=0.2"}
    assert labels([first, second, third], []) == {
        "a": "prune.threshold=0.1, qat.epochs=1",
        "b": "prune.threshold=0.1, qat.epochs=5",
        "c": "prune.threshold=0.2",
    }
