"""``python -m pipelines.record [SWEEP...]``: tell MLflow of the result in this project, or of sweeps/NAME, once."""

import sys
from pathlib import Path

from netwright.errors import UserError
from pipelines.tracking.runs import record
from pipelines.tracking.store import store_uri, without_secrets
from stages._entry.failures import guarded


def main() -> None:
    """Record the current project, or the sweeps whose folders are given, or say why not."""
    project, folders = Path.cwd(), sys.argv[1:]
    for folder in folders:
        from pipelines.tracking.sweeps import record_sweep

        number = record_sweep(project, Path(folder))
        print(f"record: {number} trials of {folder} are in {without_secrets(store_uri(project))}", flush=True)
    if folders:
        return
    from pipelines.tracking.journals import record_journals

    run, cut_off = record(project), record_journals(project)
    if run is None and not cut_off:
        raise UserError("no reports/benchmark.json here, so there is nothing to record: run make repro first")
    if run is not None:
        print(f"record: run {run} in {without_secrets(store_uri(project))}", flush=True)
    if cut_off:
        print(f"record: {cut_off} trainings that were cut off, up to their last whole epoch", flush=True)


if __name__ == "__main__":
    sys.exit(guarded("record", main))
