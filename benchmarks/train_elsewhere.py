"""The stages train, prune and qat on a host without dvc, hydra and mlflow, such as one with a GPU.

    python -m benchmarks.train_elsewhere [--through train|prune|qat] [--device auto|cpu|cuda] [--first prune]

Run in the root of a copy of the project that holds params.yaml, data/converted and models/init (and the model that
``--first`` starts from). It calls the stages' own functions with params.yaml's values and writes the same folders,
models/trained and so on. ``elsewhere.sha256`` names every file that decided the outcome, code included, as it was when
the training began, and every file that came of it: `sha256sum --quiet -c elsewhere.sha256` in the project at home
proves that nothing differs, and then `dvc commit -f train` takes the models as the stage's own (docs/training.md). The
last lines are those commands. Where a later call goes on with ``--first``, the file names the stages of both.

A training that was cut off goes on when the same command is given again: checkpoints are in ``--scratch``.
"""

import argparse
import os
import sys
from pathlib import Path

from benchmarks.before_measuring import check_device
from benchmarks.changed_params import changed_settings, read_params
from benchmarks.elsewhere_sums import (
    CODE,
    MODEL_FILES,
    SOURCES,
    SUMS,
    TARGETS,
    Sums,
    refuse_changed,
    shared_sums,
    source_sums,
    stages_in,
    sums_before,
    target_sums,
    way_home,
    write_sums,
)
from benchmarks.whole_number import at_least
from netwright.artifacts.dataset import MANIFEST
from netwright.errors import UserError
from stages import paths, prune, qat, train
from stages._entry import Host
from stages._entry.failures import guarded
from stages._training.tuned import Ground
from stages.settings import Settings


def run_stage(name: str, settings: Settings, *, device: str, scratch: Path, workers: int) -> None:
    """Run one stage in the working directory, as its Hydra entrypoint would."""
    ground = Ground(
        stage=name, data=paths.CONVERTED, source=SOURCES[name], device=device, scratch=scratch, workers=workers
    )
    match name:
        case "train":
            train.run(settings.train, settings.nms, ground=ground, target=TARGETS[name])
        case "prune":
            prune.run(settings.prune, settings.train, settings.nms, ground=ground, target=TARGETS[name])
        case _:
            qat.run(settings.qat, settings.train, settings.nms, ground=ground, target=TARGETS[name])


def check_inputs(first: str) -> None:
    """Raise UserError for what was not carried, before anything is computed."""
    if absent := [package for package in CODE if not Path(package).is_dir()]:
        raise UserError(f"no {' and '.join(absent)} in {Path.cwd()}: run this in the root of the project's copy")
    needed = [paths.CONVERTED / MANIFEST, *(SOURCES[first] / name for name in MODEL_FILES)]
    if missing := [str(path) for path in needed if not path.is_file()]:
        raise UserError(f"{first} needs {', '.join(missing)}: carry the folders here from the project (dvc repro)")
    changed_settings(read_params(Path()), {})


def asked_stages(first: str, through: str) -> list[str]:
    """The stages from ``first`` to ``through``. Raises UserError where there are none, or too many for torchrun."""
    names = list(TARGETS)
    stages = names[names.index(first) : names.index(through) + 1]
    if not stages:
        raise UserError(f"--first {first} comes after --through {through}: exchange them")
    if len(stages) > 1 and "LOCAL_WORLD_SIZE" in os.environ:  # all processes but one end with their first training
        raise UserError(f"torchrun takes one stage at a time: --first {first} --through {first}, then the next")
    return stages


def device_of(asked: str) -> str:
    """Cpu or cuda. Raises UserError where cuda is asked for in vain."""
    check_device(asked)
    return Host(requested_device=asked, workers=0, processes=1, tracking_uri="", scratch=Path()).device


def main() -> None:
    """Check, train, and write the hashes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", choices=list(TARGETS), default="train", help="the stage to begin with")
    parser.add_argument("--through", choices=list(TARGETS), default="train", help="the last stage to run")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument(
        "--workers", type=at_least(0), default=0, help="threads that decode pictures; 0: one a processor"
    )
    parser.add_argument("--scratch", type=Path, default=Path(".netwright"), help="checkpoints and decoded pictures")
    arguments = parser.parse_args()
    sys.exit(guarded("train_elsewhere", lambda: _run(arguments)))


def _run(arguments: argparse.Namespace) -> None:
    stages = asked_stages(arguments.first, arguments.through)
    check_inputs(arguments.first)
    device = device_of(arguments.device)
    sums = (sums_before(arguments.first) or shared_sums()) | source_sums(arguments.first)
    settings = changed_settings(read_params(Path()), {})  # after the hashes: a change in between is found at the end
    print(f"{', '.join(stages)} on {device}, {settings.train.epochs} epochs, seed {settings.train.seed}", flush=True)
    for name in stages:
        run_stage(name, settings, device=device, scratch=arguments.scratch.resolve(), workers=arguments.workers)
        sums |= target_sums(name)
        print(f"{name}: {TARGETS[name]} is written", flush=True)
    _conclude(sums)


def _conclude(sums: Sums) -> None:
    """Write the hashes, unless what was trained from is no longer there to be hashed, and say how they go home."""
    refuse_changed(sums, f"while this trained, so {SUMS} is not written: give the same command again")
    write_sums(sums)
    print(f"{len(sums)} hashes in {SUMS}\n{way_home(stages_in(sums))}")


if __name__ == "__main__":
    main()
