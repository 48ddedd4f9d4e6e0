"""What a sweep's command line means, before anything runs."""

from pathlib import Path

import pytest

from netwright.errors import UserError
from pipelines.compose import CONF, composed
from pipelines.sweep.command import read_arguments
from pipelines.sweep.plan import Plan, make_plan
from pipelines.sweep.state import trial_name


def plan(*overrides: str) -> Plan:
    return make_plan(CONF, overrides)


def test_every_combination_is_a_trial_with_the_values_that_repro_would_compose() -> None:
    found = plan("prune.threshold=0.05,0.1", "qat.epochs=0,10", "experiment=smoke")
    assert [trial_name(trial.overrides) for trial in found.trials] == [
        "experiment=smoke,prune.threshold=0.05,qat.epochs=0",
        "experiment=smoke,prune.threshold=0.05,qat.epochs=10",
        "experiment=smoke,prune.threshold=0.1,qat.epochs=0",
        "experiment=smoke,prune.threshold=0.1,qat.epochs=10",
    ]
    for trial in found.trials:
        assert trial.values == composed(trial.overrides)


def test_groups_ranges_and_globs_are_swept_as_hydra_does() -> None:
    assert [
        trial.values["model"]["backbone"] for trial in plan("model=resnet10t,resnet18", "experiment=bccd").trials
    ] == [
        "resnet10t",
        "resnet18",
    ]
    assert [trial.values["qat"]["epochs"] for trial in plan("qat.epochs=range(1,4)").trials] == [1, 2, 3]
    assert len(plan("model=glob(*)").trials) == len(list((CONF / "model").glob("*.yaml")))


def test_the_same_command_has_the_same_name_and_another_one_another() -> None:
    first = plan("prune.threshold=0.1,0.2", "qat.epochs=0,1").name
    assert first.startswith("digits-prune.threshold-qat.epochs-")
    assert plan("qat.epochs=0,1", "prune.threshold=0.1,0.2", "hydra/launcher=joblib").name == first
    assert plan("prune.threshold=0.1,0.3", "qat.epochs=0,1").name != first
    assert plan("prune.threshold=0.1,0.2", "sweep.name=mine").name == "mine"


@pytest.mark.parametrize(
    ("overrides", "last"),
    [
        ([], False),
        (["hydra/launcher=joblib"], True),
        (["hydra/launcher=submitit_local"], True),
        (["hydra/launcher=submitit_slurm"], False),
        (["hydra/launcher=joblib", "sweep.timing=trial"], False),
        (["sweep.timing=end"], True),
    ],
)
def test_timing_waits_where_trials_share_this_machine(overrides: list[str], *, last: bool) -> None:
    assert plan("prune.threshold=0.1,0.2", *overrides).times_last is last


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("prune.treshold=0.1,0.2", r"unknown key or group prune.treshold \(did you mean prune.threshold\?\)"),
        ("prune.threshold=0.1,1.5", "trial prune.threshold=1.5: prune.threshold must be from 0 to 1, found 1.5"),
        ("qat.epochs=1,many", r"trial qat.epochs=many: qat.epochs must be a whole number, found 'many' \(str\)"),
        ("prune.threshold=[", "cannot read the override"),
        ("sweep.name=a,b", "sweep.name=a,b cannot be swept"),
        ("sweep.timing=never", "sweep.timing must be one of auto, trial, end"),
    ],
)
def test_bad_input_is_refused_before_any_trial_starts(override: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as raised:
        plan(override)
    assert "\n" not in str(raised.value)


def test_options_that_would_leave_the_projects_conf_are_refused() -> None:
    assert read_arguments(["-m", "qat.epochs=1,2"]).overrides == ("qat.epochs=1,2",)
    assert read_arguments(["--cfg", "job"]).shows
    with pytest.raises(UserError, match="--config-dir is not for sweeps"):
        read_arguments(["--config-dir", str(Path.home()), "qat.epochs=1"])
    with pytest.raises(UserError, match="unrecognized arguments: --bogus"):
        read_arguments(["--bogus"])
