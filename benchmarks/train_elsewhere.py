"""The stages train, prune and qat on a host without dvc, hydra and mlflow, such as one with a GPU.

    python -m benchmarks.train_elsewhere [--through train|prune|qat] [--device auto|cpu|cuda] [--first prune]

Run in the root of a copy of the project that holds params.yaml, data/converted and models/init (and the model that
``--first`` starts from). It calls the stages' own functions with params.yaml's values and writes the same folders,
models/trained and so on. ``elsewhere.sha256`` names every file that decided the outcome, code included, and every file
that came of it: `sha256sum --quiet -c elsewhere.sha256` in the project at home proves that nothing differs, and then
`dvc commit -f train` takes the models as the stage's own (docs/training.md).

A training that was cut off goes on when the same command is given again: checkpoints are in ``--scratch``.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.changed_params import changed_settings, read_params
from netwright.artifacts.dataset import MANIFEST
from netwright.artifacts.model import ARCHITECTURE, WEIGHTS
from netwright.artifacts.whole_file import sha256_of, write_text
from netwright.errors import UserError
from stages import paths, prune, qat, train
from stages._entry import Host
from stages._entry.failures import guarded
from stages._training.tuned import Ground
from stages.settings import Settings

SOURCES = {"train": paths.INIT, "prune": paths.TRAINED, "qat": paths.PRUNED}
TARGETS = {"train": paths.TRAINED, "prune": paths.PRUNED, "qat": paths.QUANTIZED}
MODEL_FILES = (WEIGHTS, ARCHITECTURE)
SUMS = Path("elsewhere.sha256")
CODE = ("netwright", "stages")


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


def files_of(stages: Iterable[str]) -> Iterator[Path]:
    """What decides the outcome of ``stages`` and what they write, relative to the project."""
    yield Path("params.yaml")
    for package in CODE:
        yield from sorted(Path(package).rglob("*.py"))
    yield from sorted(path for path in paths.CONVERTED.rglob("*") if path.is_file())
    for number, stage in enumerate(stages):
        if number == 0:
            yield from (SOURCES[stage] / name for name in MODEL_FILES)
        yield from sorted(path for path in TARGETS[stage].iterdir() if path.is_file() and path.name[0] != ".")


def write_sums(stages: Iterable[str]) -> int:
    """Write the hashes as `sha256sum -c` reads them; return how many."""
    lines = [f"{sha256_of(path)}  {path.as_posix()}\n" for path in files_of(stages)]
    write_text(SUMS, "".join(lines))
    return len(lines)


def main() -> None:
    """Check, train, and write the hashes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", choices=list(TARGETS), default="train", help="the stage to begin with")
    parser.add_argument("--through", choices=list(TARGETS), default="train", help="the last stage to run")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--workers", type=int, default=0, help="threads that decode pictures; 0: one a processor")
    parser.add_argument("--scratch", type=Path, default=Path(".netwright"), help="checkpoints and decoded pictures")
    sys.exit(guarded("train_elsewhere", lambda: _run(parser.parse_args())))


def _run(arguments: argparse.Namespace) -> None:
    names = list(TARGETS)
    stages = names[names.index(arguments.first) : names.index(arguments.through) + 1]
    if not stages:
        raise UserError(f"--first {arguments.first} comes after --through {arguments.through}: exchange them")
    if len(stages) > 1 and "LOCAL_WORLD_SIZE" in os.environ:  # all processes but one end with their first training
        raise UserError(f"torchrun takes one stage at a time: --first {stages[0]} --through {stages[0]}, then the next")
    settings = changed_settings(read_params(Path()), {})
    check_inputs(arguments.first)
    scratch, workers = arguments.scratch.resolve(), arguments.workers
    device = Host(
        requested_device=arguments.device, workers=workers, processes=1, tracking_uri="", scratch=scratch
    ).device
    print(f"{', '.join(stages)} on {device}, {settings.train.epochs} epochs, seed {settings.train.seed}", flush=True)
    for name in stages:
        run_stage(name, settings, device=device, scratch=scratch, workers=workers)
        print(f"{name}: {TARGETS[name]} is written", flush=True)
    print(f"{write_sums(stages)} hashes in {SUMS}: check them at home, then dvc commit -f {' '.join(stages)}")


if __name__ == "__main__":
    main()
