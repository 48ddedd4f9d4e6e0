"""The deployed row of a project's reports/, for a comparison with as many epochs of training."""

import json
from pathlib import Path
from typing import Any

from netwright.errors import UserError
from stages import paths
from stages.settings import Settings


def epochs_of_chain(settings: Settings) -> int:
    """Epochs of train, prune and qat together."""
    return settings.train.epochs + settings.prune.recover.epochs + settings.qat.epochs


def deployed_of(project: Path, settings: Settings) -> float:
    """Test mAP50-95 of the deployed row that the pipeline measured, with conf/train's seed.

    Raises UserError where there is none, or where its model was trained for other epochs than params.yaml's chain.
    """
    metrics, report = (_read(project / paths.REPORTS / name) for name in ("metrics.json", "benchmark.json"))
    try:
        accuracy, deployed = float(metrics["deployed/test/map50_95"]), report["deployed"]
        model = next(row["model"] for row in report["rows"] if f"{row['export']}@{row['runtime']}" == deployed)
        epochs = report["epochs"][model]
    except (KeyError, TypeError, StopIteration):
        raise UserError(f"{project / paths.REPORTS} says nothing of a deployed row: dvc repro first") from None
    if epochs != (total := epochs_of_chain(settings)):
        raise UserError(
            f"{deployed} was trained for {epochs} epochs in all, and params.yaml's train, prune and qat make {total}:"
            " dvc repro first (a chain that patience ended, or an unquantized row, has no equal here)"
        )
    return accuracy


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise UserError(f"no {path}: dvc repro first, or leave out --pipeline") from None
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}): dvc repro") from None
