"""``python -m pipelines.repro [overrides] [-- dvc's own arguments]``: compose, ``dvc repro``, record.

Plain ``dvc repro`` does not compose conf/; this does, so params.yaml always says what was asked.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from netwright.errors import UserError
from pipelines.compose import write_snapshot
from pipelines.machine import write_machine
from stages._entry.failures import INTERRUPTED, complain, guarded


def repro(project: Path, overrides: Sequence[str] = (), dvc_arguments: Sequence[str] = ()) -> int:
    """Compose conf/ with ``overrides``, run ``dvc repro`` and record its result; return the exit status.

    Raises UserError where ``project`` is no git repository with a dvc.yaml, or DVC is not installed.
    """
    _check_project(project)
    write_snapshot(project, overrides)
    write_machine(project)
    status = run_dvc(project, ["repro", *dvc_arguments])
    if status == 0:
        _record(project)
    elif status != INTERRUPTED:
        _record_cut_off(project)
    return status


def run_dvc(project: Path, arguments: Sequence[str]) -> int:
    """Run this Python's DVC in ``project`` with stages on this Python too; return its exit status (130: Ctrl-C)."""
    here = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": os.pathsep.join([here, os.environ.get("PATH", os.defpath)])}
    child = subprocess.Popen([sys.executable, "-m", "dvc", *arguments], cwd=project, env=environment)
    # Ctrl-C reaches the whole group: DVC and its stage end by themselves, and speak last.
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: pressed.append(number))
    try:
        status = child.wait()
        return INTERRUPTED if pressed and status else status
    finally:
        signal.signal(signal.SIGINT, before)


def _check_project(project: Path) -> None:
    if not (project / "dvc.yaml").is_file():
        raise UserError(f"no dvc.yaml in {project}: run this from the project's root")
    if shutil.which("git") is None:
        raise UserError("git is not installed, and DVC needs it")
    inside = subprocess.run(["git", "rev-parse", "--git-dir"], cwd=project, capture_output=True, check=False)
    if inside.returncode:
        raise UserError(f"{project} is no git repository, and DVC needs one: clone the project, or run git init here")
    try:
        import dvc.version  # noqa: F401
    except ImportError:
        raise UserError("DVC is not installed in this environment: make install") from None


def _record(project: Path) -> None:
    """Tell MLflow. The work is safe in files by now, so nothing that happens here fails the run."""
    try:
        from pipelines.tracking.runs import record

        run = record(project)
        if run is not None:
            print(f"record: MLflow run {run} (make ui shows it)", flush=True)
    except Exception as error:  # noqa: BLE001 whatever a store, its driver or the network raise
        reason = str(error).strip() or type(error).__name__
        complain("record", f"not recorded ({reason}); the results are kept: python -m pipelines.record does it later")


def _record_cut_off(project: Path) -> None:
    """Tell MLflow of the epochs of a training that was killed: its journal has them."""
    from pipelines.tracking.journals import cut_off, record_journals
    from pipelines.tracking.starts import scratch_of

    try:
        if any(cut_off(scratch_of(project))) and (number := record_journals(project)):
            complain("record", f"{number} trainings were cut off: MLflow has their epochs; the same command goes on")
    except Exception as error:  # noqa: BLE001 as above
        complain("record", f"not recorded ({str(error).strip() or type(error).__name__})")


def main() -> None:
    """Split the command line at ``--`` and run."""
    arguments = sys.argv[1:]
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    status = repro(Path.cwd(), arguments[:cut], arguments[cut + 1 :])
    if status:
        sys.exit(status)


if __name__ == "__main__":
    sys.exit(guarded("repro", main))
