"""The champion is the best by the rule, on val; a disturbed, a wrong and a too costly result never is."""

from dataclasses import replace

import pytest

from pipelines.tracking.champion import choose_champion, refusal
from pipelines.tracking.trials import ACCURACY, LATENCY, SIZE, TEST_ACCURACY, Trial
from stages.settings import Champion

RULE = Champion(prefer="accuracy", max_latency_ms=None, max_size_bytes=None, max_points_lost=None, require_parity=True)


def trial(run: str, accuracy: float, latency: float, size: float, test: float = 0.5) -> Trial:
    metrics = {ACCURACY: accuracy, LATENCY: latency, SIZE: size, TEST_ACCURACY: test}
    return Trial(
        run=run,
        name=run,
        experiment="1",
        status="FINISHED",
        deleted=False,
        started=int(latency * 1000),
        metrics=metrics | {"points_lost/val": 100 * (0.7 - accuracy)},
        tags={"deployed.disturbed": "false", "deployed.parity": "passed"},
    )


ACCURATE, MIDDLE, FAST, SMALL = TRIALS = [
    trial("accurate", 0.70, 4.0, 9e5, test=0.4),
    trial("middle", 0.68, 2.0, 5e5, test=0.9),
    trial("fast", 0.50, 1.0, 4e5),
    trial("small", 0.45, 1.5, 1e5),
]


@pytest.mark.parametrize(
    ("changes", "chosen"),
    [
        ({}, "accurate"),
        ({"prefer": "latency"}, "fast"),
        ({"prefer": "size"}, "small"),
        ({"prefer": "knee"}, "middle"),
        ({"max_latency_ms": 2.5}, "middle"),
        ({"max_size_bytes": 450_000}, "fast"),
        ({"prefer": "latency", "max_points_lost": 3.0}, "middle"),
        ({"prefer": "size", "max_points_lost": 22.0}, "fast"),
    ],
)
def test_the_rule_chooses(changes: dict[str, object], chosen: str) -> None:
    found = choose_champion(TRIALS, replace(RULE, **changes))
    assert found.chosen is not None
    assert found.chosen.run == chosen


def test_test_is_never_looked_at() -> None:
    told = [replace(one, metrics={**one.metrics, TEST_ACCURACY: 1 - one.metrics[TEST_ACCURACY]}) for one in TRIALS]
    for prefer in ("accuracy", "latency", "size", "knee"):
        rule = replace(RULE, prefer=prefer)
        first, second = choose_champion(TRIALS, rule).chosen, choose_champion(told, rule).chosen
        assert first is not None
        assert second is not None
        assert first.run == second.run


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"deployed.disturbed": "true", "deployed.parity": "passed"}, "disturbed"),
        ({"deployed.disturbed": "false", "deployed.parity": "failed"}, "parity failed"),
        ({"deployed.disturbed": "false", "deployed.parity": "not_run"}, "without parity"),
        ({"deployed.parity": "passed"}, "of unknown timing (recorded by an older version)"),
    ],
)
def test_an_unfair_or_unproven_result_is_refused_however_good(tags: dict[str, str], reason: str) -> None:
    best = replace(ACCURATE, tags=tags)
    assert refusal(best, RULE) == reason
    found = choose_champion([best, FAST], RULE)
    assert found.chosen == FAST
    assert (found.candidates, found.told) == (1, f"1 {reason}")


def test_parity_may_be_waived_but_not_failed() -> None:
    rule = replace(RULE, require_parity=False)
    assert refusal(replace(ACCURATE, tags={"deployed.disturbed": "false", "deployed.parity": "not_run"}), rule) == ""
    assert refusal(replace(ACCURATE, tags={"deployed.disturbed": "false", "deployed.parity": "failed"}), rule) != ""


def test_a_limit_on_lost_points_refuses_where_the_baseline_was_not_measured() -> None:
    bare = replace(ACCURATE, metrics={name: ACCURATE.metrics[name] for name in (ACCURACY, LATENCY, SIZE)})
    assert refusal(bare, replace(RULE, max_points_lost=99.0)) == "losing more than 99 points"


def test_none_is_chosen_where_all_are_refused() -> None:
    found = choose_champion(TRIALS, replace(RULE, max_latency_ms=0.1))
    assert found.chosen is None
    assert found.told == "4 slower than 0.1 ms"
