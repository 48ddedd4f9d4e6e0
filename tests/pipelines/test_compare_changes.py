"""Two runs: every difference of configuration, data, code and stages is named, and nothing else."""

from dataclasses import replace

from pipelines.compare.changes import Change, StageChange, changes
from pipelines.tracking.trials import Trial

ONE = Trial(
    run="a",
    name="a",
    experiment="1",
    status="FINISHED",
    deleted=False,
    started=0,
    params={"prune.threshold": "0.1", "train.epochs": "5"},
    metrics={"data/train/images": 500.0},
    tags={"mlflow.source.git.commit": "abc", "git.dirty": "false", "dataset": "digits", "dataset.fingerprint": "f1"},
)
LOCK = {
    "benchmark": {"deps": [{"path": "models/pruned", "md5": "3"}], "outs": [{"path": "reports", "md5": "4"}]},
    "prune": {
        "cmd": "python -m stages.prune",
        "deps": [{"path": "models/trained/model.safetensors", "md5": "1"}],
        "params": {"params.yaml": {"prune": {"threshold": 0.1}}},
        "outs": [{"path": f"models/pruned/{name}", "md5": "3"} for name in ("a", "b", "c", "d")],
    },
    "train": {"deps": [], "outs": [{"path": "models/trained/model.safetensors", "md5": "1"}]},
}


def test_equal_runs_differ_in_nothing() -> None:
    found = changes(ONE, replace(ONE, run="b"), (LOCK, LOCK))
    assert (found.config, found.data, found.code, found.measured, found.stages) == ((), (), (), (), ())


def test_each_kind_of_difference_is_named() -> None:
    other = replace(
        ONE,
        params={"prune.threshold": "0.2", "train.epochs": "5", "qat.epochs": "1"},
        metrics={"data/train/images": 499.0, "speedup": 2.0},
        tags={**ONE.tags, "git.dirty": "true", "dataset.fingerprint": "f2", "deployed.device": "another"},
    )
    found = changes(ONE, other, None)
    assert found.config == (
        Change(what="prune.threshold", first="0.1", second="0.2"),
        Change(what="qat.epochs", first="", second="1"),
    )
    assert [change.what for change in found.data] == ["dataset.fingerprint", "data/train/images"]
    assert found.code == (Change(what="uncommitted edits", first="false", second="true"),)
    assert found.measured == (Change(what="deployed.device", first="", second="another"),)
    assert found.stages is None


def test_stages_are_told_in_the_order_of_their_files_with_what_changed() -> None:
    prune = {
        **LOCK["prune"],
        "params": {"params.yaml": {"prune": {"threshold": 0.2}}},
        "outs": [{"path": f"models/pruned/{name}", "md5": "5"} for name in ("a", "b", "c", "d")],
    }
    later = {"deps": [{"path": "models/pruned", "md5": "5"}], "outs": [{"path": "reports", "md5": "4"}]}
    found = changes(ONE, ONE, (LOCK, {**LOCK, "prune": prune, "benchmark": later}))
    assert found.stages == (
        StageChange(stage="prune", inputs=("prune",), outputs=tuple(f"models/pruned/{name}" for name in "abcd")),
        StageChange(stage="benchmark", inputs=("models/pruned",), outputs=()),
    )
    assert found.stages[0].told == "inputs changed: prune; outputs changed: 4 in models/pruned"
    assert found.stages[1].told == "inputs changed: models/pruned; same outputs"
