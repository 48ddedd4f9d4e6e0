"""``python -m pipelines.sweep -m prune.threshold=0.1,0.2 qat.epochs=0,10``: Hydra multirun over the whole pipeline."""

import sys
from pathlib import Path

from netwright.errors import UserError
from pipelines.sweep.command import read_arguments, show
from pipelines.sweep.run import sweep
from stages._entry.failures import INTERRUPTED, guarded


def main() -> None:
    """Run the sweep of the command line, or show what Hydra shows (--help, --cfg job and the like)."""
    asked = read_arguments(sys.argv[1:])
    if asked.shows:
        show(sys.argv[1:])
        return
    failed, trials = sweep(Path.cwd(), asked.overrides)
    if failed:
        raise UserError(f"{failed} of {trials} trials failed; the same command runs them, and only them, again")


if __name__ == "__main__":
    status = guarded("sweep", main)
    sys.exit(INTERRUPTED if status == INTERRUPTED else status)
