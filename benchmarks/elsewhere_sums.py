"""elsewhere.sha256: what models of another host were made from, and what came of it, as `sha256sum -c` reads it."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from netwright.artifacts.model import ARCHITECTURE, WEIGHTS
from netwright.artifacts.whole_file import sha256_of, write_text
from netwright.errors import UserError
from stages import paths

SOURCES = {"train": paths.INIT, "prune": paths.TRAINED, "qat": paths.PRUNED}
TARGETS = {"train": paths.TRAINED, "prune": paths.PRUNED, "qat": paths.QUANTIZED}
MODEL_FILES = (WEIGHTS, ARCHITECTURE)
SUMS = Path("elsewhere.sha256")
CODE = ("netwright", "stages")
_OF_A_TARGET = "metrics.json"  # each stage writes it, and none reads another's
Sums = dict[str, str]  # relative path to hash


def sums_of(files: Iterable[Path]) -> Sums:
    """The hash of each file as it is now."""
    return {path.as_posix(): sha256_of(path) for path in files}


def shared_sums() -> Sums:
    """What decides the outcome of every stage: values, code and data."""
    return sums_of(_shared_files())


def source_sums(stage: str) -> Sums:
    """The model that ``stage`` starts from."""
    return sums_of(SOURCES[stage] / name for name in MODEL_FILES)


def target_sums(stage: str) -> Sums:
    """All that ``stage`` has written."""
    return sums_of(sorted(path for path in TARGETS[stage].iterdir() if path.is_file() and path.name[0] != "."))


def read_sums() -> Sums:
    """What earlier calls have written; nothing where there was none. Raises UserError for a damaged file."""
    if not SUMS.is_file():
        return {}
    rows = [line.split("  ", 1) for line in SUMS.read_text("utf-8").splitlines()]
    if any(len(row) != 2 for row in rows):
        raise UserError(f"{SUMS} is damaged: remove it and begin with --first train")
    return {name: value for value, name in rows}


def write_sums(sums: Sums) -> None:
    """Write ``sums`` as `sha256sum -c` reads them."""
    write_text(SUMS, "".join(f"{value}  {name}\n" for name, value in sums.items()))


def stages_in(sums: Sums) -> list[str]:
    """The stages whose outcome ``sums`` names, in their order."""
    return [stage for stage, target in TARGETS.items() if (target / _OF_A_TARGET).as_posix() in sums]


def sums_before(first: str) -> Sums:
    """What an earlier call says of the stages before ``first``; nothing where it ran none of them.

    Raises UserError where that no longer holds, and where the stage just before ``first`` is not among them.
    """
    names, sums = list(TARGETS), read_sums()
    later = names[names.index(first) :]
    earlier = [stage for stage in stages_in(sums) if stage not in later]
    if not earlier:
        return {}
    if (wanted := names[names.index(first) - 1]) not in earlier:
        raise UserError(f"{SUMS} names {' '.join(earlier)} and not {wanted}, which comes before {first}: run it first")
    kept = {name: value for name, value in sums.items() if not _is_of(name, later)}
    refuse_changed(
        kept,
        f"since {' and '.join(earlier)} ran here: put it back, or begin with --first {earlier[0]}, or remove {SUMS}"
        f" where {SOURCES[first]} is not of this host",
    )
    return kept


def refuse_changed(sums: Sums, when: str) -> None:
    """Raise UserError, naming the first few, where files are no longer what ``sums`` says, or code or data is new."""
    now = sums_of({*_shared_files(), *(path for name in sums if (path := Path(name)).is_file())})
    changed = sorted(name for name in sums.keys() | now.keys() if sums.get(name) != now.get(name))
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise UserError(f"{', '.join(changed[:3])}{more} changed {when}")


def way_home(stages: Sequence[str]) -> str:
    """The commands that carry home what ``stages`` wrote, and nothing that home must compare with its own."""
    written = " ".join(TARGETS[stage].as_posix() for stage in stages)
    return (
        f"to carry home:  tar czf back.tgz {SUMS} {written}\n"
        f"at home:        tar xzf back.tgz && sha256sum --quiet -c {SUMS} && dvc commit -f {' '.join(stages)}"
    )


def _shared_files() -> Iterator[Path]:
    yield Path("params.yaml")
    for package in CODE:
        yield from sorted(Path(package).rglob("*.py"))
    yield from sorted(path for path in paths.CONVERTED.rglob("*") if path.is_file())


def _is_of(name: str, stages: Sequence[str]) -> bool:
    return any(Path(name).parent == TARGETS[stage] for stage in stages)
