"""``python -m pipelines.registry [--sweep NAME]``: a dataset's champion into MLflow's registry, by the rule in conf/.

The model is registered under the dataset's name; the alias ``champion`` moves to the version that the rule chooses.
Challengers are all results of the dataset, or one sweep's; the present champion always competes.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from netwright.artifacts.certificate import CERTIFICATE, read_certificate
from netwright.errors import UserError
from netwright.reporting.certificate_text import summary_text
from pipelines.compare.files import fetch
from pipelines.compare.selection import check_store, dataset_runs, project_dataset, sweep_runs
from pipelines.tracking.champion import Choice, choose_champion
from pipelines.tracking.store import open_store, store_uri
from pipelines.tracking.trials import ACCURACY, LATENCY, SIZE, TEST_ACCURACY, Trial, trial_of
from pipelines.tracking.view import version_link
from stages import paths
from stages._entry.app import validated
from stages._entry.failures import guarded
from stages.settings import Champion

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

ALIAS = "champion"
_LONGEST = 5000  # letters of a description


@dataclass(frozen=True, kw_only=True)
class Crowned:
    """``version`` of the registered ``model`` bears the alias; ``moved`` says whether it did not before."""

    model: str
    version: str
    trial: Trial
    moved: bool
    choice: Choice
    link: str


def crown(project: Path, *, dataset: str | None = None, sweep: str | None = None) -> Crowned:
    """Choose by the rule in ``project``/params.yaml among the results of ``dataset``, or of ``sweep``, and register.

    Raises UserError where the store cannot be used, nothing is finished, or the rule refuses every result; the
    registry is as it was then.
    """
    rule, name, uri = read_rule(project), dataset or project_dataset(project), store_uri(project)
    check_store(uri)
    with open_store(project) as client:
        found = sweep_runs(client, uri, sweep, name) if sweep else dataset_runs(client, uri, name)
        present = _present(client, name)
        trials = {trial.run: trial for trial in (*found.finished, *_reigning(client, present, found.finished))}
        choice = choose_champion(list(trials.values()), rule)
        if choice.chosen is None:
            raise UserError(f"{found.title}: no champion, the rule in conf/champion refuses all ({choice.told})")
        moved = present is None or present.run_id != choice.chosen.run
        version = _register(client, name, choice.chosen, rule) if moved else present
        assert version is not None
        if moved:
            client.set_registered_model_alias(name, ALIAS, version.version)
        return Crowned(
            model=name,
            version=str(version.version),
            trial=choice.chosen,
            moved=moved,
            choice=choice,
            link=version_link(uri, name, str(version.version)),
        )


def read_rule(project: Path) -> Champion:
    """The section ``champion`` of ``project``/params.yaml. Raises UserError where the snapshot is missing or wrong."""
    try:
        return validated(yaml.safe_load((project / "params.yaml").read_text("utf-8"))).champion
    except (OSError, yaml.YAMLError):
        raise UserError(f"no params.yaml in {project}: run this from the project's root (make compose)") from None


def _present(client: "MlflowClient", name: str) -> "ModelVersion | None":
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(name, ALIAS)
    except MlflowException:
        return None  # no such model, or nobody has the alias


def _reigning(client: "MlflowClient", present: "ModelVersion | None", challengers: Sequence[Trial]) -> list[Trial]:
    """The present champion's run, if it is still there and was measured on the challengers' pictures."""
    from mlflow.exceptions import MlflowException

    if present is None or not present.run_id:
        return []
    try:
        trial = trial_of(client.get_run(present.run_id))
    except MlflowException:
        return []
    tag = "dataset.fingerprint"
    same = trial.tags.get(tag) == challengers[0].tags.get(tag)
    return [trial] if trial.finished and same else []


def _register(client: "MlflowClient", name: str, trial: Trial, rule: Champion) -> "ModelVersion":
    """The version of ``trial``, made where it has none yet."""
    from mlflow.exceptions import MlflowException

    if not any(file.path.endswith(".onnx") for file in client.list_artifacts(trial.run, paths.EXPORTS.as_posix())):
        raise UserError(f"run {trial.run[:8]} keeps no exported model, so it cannot be registered: repeat that trial")
    with tempfile.TemporaryDirectory(prefix="netwright-") as scratch:
        description = _description(client, trial, rule, Path(scratch))
    try:
        client.get_registered_model(name)
    except MlflowException:
        client.create_registered_model(name, description=f"Detectors of {name}: {ALIAS} is what conf/champion chooses.")
    for version in client.search_model_versions(f"name = '{name}'"):
        if version.run_id == trial.run:
            return client.update_model_version(name, version.version, description)
    source = f"runs:/{trial.run}/{paths.EXPORTS.as_posix()}"
    tags = {key: value for key, value in trial.tags.items() if key.startswith(("deployed.", "dataset", "netwright."))}
    return client.create_model_version(name, source, trial.run, tags=tags, description=description)


def _description(client: "MlflowClient", trial: Trial, rule: Champion, scratch: Path) -> str:
    """Why it was chosen, its numbers, and the certificate's summary or the reason why it has none."""
    chosen = f"Chosen for {rule.prefer} on val: {trial.told}."
    path = fetch(client, trial, (paths.REPORTS / CERTIFICATE).as_posix(), scratch)
    try:
        told = summary_text(read_certificate(path.parent)) if path else _numbers(trial, "the run keeps no certificate")
    except UserError as reason:
        told = _numbers(trial, str(reason))
    return f"{chosen}\n\n{told}"[:_LONGEST]


def _numbers(trial: Trial, reason: str) -> str:
    metrics = trial.metrics
    return (
        f"Not certified: {reason.removeprefix('no certificate: ')}.\n\n"
        f"mAP50-95 {metrics[ACCURACY]:.4f} on val, {metrics.get(TEST_ACCURACY, float('nan')):.4f} on test; "
        f"p50 {metrics[LATENCY]:.2f} ms as {trial.tags.get('deployed.row', '')}; {metrics[SIZE]:.0f} bytes."
    )


def main() -> None:
    """Choose, register and say so."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.registry", description="The champion into MLflow's registry, by conf/champion."
    )
    parser.add_argument("--sweep", metavar="NAME", help="challengers: the trials of this sweep (default: all results)")
    parser.add_argument("--dataset", metavar="NAME", help="whose results (default: the one of params.yaml)")
    given = parser.parse_args()
    done = crown(Path.cwd(), dataset=given.dataset, sweep=given.sweep)
    for line in lines_of(done):
        print(line, flush=True)


def lines_of(done: Crowned) -> list[str]:
    """What happened, for the terminal."""
    verb = "is now" if done.moved else "stays"
    lines = [
        f"registry: {done.model} version {done.version} {verb} {ALIAS}: {done.trial.told} (run {done.trial.run[:8]})"
    ]
    if done.choice.refused:
        lines.append(f"registry: of {done.choice.candidates} candidates; refused: {done.choice.told}")
    return [*lines, f"registry: {done.link}"]


if __name__ == "__main__":
    sys.exit(guarded("registry", main))
