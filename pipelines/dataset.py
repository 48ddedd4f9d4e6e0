"""``python -m pipelines.dataset --to coco --output DIR``: the converted dataset, written in a format of others."""

import argparse
import contextlib
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from netwright.artifacts.dataset import Manifest, Record, read_manifest, read_records
from netwright.data.formats import coco, kitti, voc, yolo
from netwright.errors import UserError
from netwright.types import SPLITS
from stages._entry.failures import guarded

SAVE: dict[str, Callable[[Iterable[Record], Sequence[str], Path], None]] = {
    "kitti": kitti.save,
    "coco": coco.save,
    "voc": voc.save,
    "yolo": yolo.save,
}
# What a record knows and the format has no field for.
LOST = {
    "kitti": ("difficult", "group"),
    "coco": ("group",),
    "voc": ("crowd", "group"),
    "yolo": ("difficult", "crowd", "truncated", "occluded", "group"),
}


def write_as(
    format_name: str, source: Path, output: Path, *, watch: Callable[[Iterator[Record], int], Iterable[Record]]
) -> str:
    """Write the converted dataset in ``source`` to the folder ``output``, new or empty; return what was done.

    ``watch`` is given the records and how many they are, and passes them on. All is written beside ``output`` and
    moved there at the end, so a run that ends early leaves nothing. Raises UserError for a folder that holds
    something, for a damaged dataset, and for what the format cannot hold.
    """
    manifest = read_manifest(source)
    output = output.absolute()
    _check_free(output, source)
    lost: Counter[str] = Counter()
    pictures = sum(shard.images for shard in manifest.shards)
    records = watch(_counted(_records(source, manifest), lost, LOST[format_name]), pictures)
    with _whole_folder(output) as temporary:
        SAVE[format_name](records, manifest.classes, temporary)
    missing = ", ".join(f"{field} of {count}" for field, count in lost.items())
    return f"{pictures} pictures in {output}" + (f"; {format_name} has no field for {missing}" if missing else "")


def _records(source: Path, manifest: Manifest) -> Iterator[Record]:
    for split in dict.fromkeys(shard.split for shard in manifest.shards):
        if split not in SPLITS:  # it becomes a file's name
            raise UserError(f"{source} has a split {split!r}, known are {', '.join(SPLITS)}: run dvc repro convert")
        yield from read_records(source, split)


def _counted(records: Iterator[Record], lost: Counter[str], fields: Sequence[str]) -> Iterator[Record]:
    """Count the boxes, and for the group the pictures, that have something in one of ``fields``."""
    for record in records:
        for field in fields:
            found = int(bool(record.group)) if field == "group" else int((getattr(record, field) > 0).sum())
            lost.update({f"{field}": found} if found else {})
        yield record


def _check_free(output: Path, source: Path) -> None:
    if output.resolve().is_relative_to(source.resolve()):
        raise UserError(f"--output {output} is inside the converted dataset {source}: give a folder elsewhere")
    if output.exists() and not output.is_dir():
        raise UserError(f"--output {output} is a file: give a new or empty folder")
    if output.exists() and any(output.iterdir()):
        raise UserError(f"--output {output} is not empty: give a new or empty folder, nothing is overwritten")


@contextlib.contextmanager
def _whole_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``folder``; on success it takes its place, on any error it is removed."""
    folder = folder.resolve()  # a link to an empty folder keeps pointing there
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield temporary
        temporary.chmod(0o755)
        temporary.replace(folder)  # over an empty folder, but over no other
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _shown(records: Iterator[Record], count: int) -> Iterable[Record]:
    """``records`` with a progress bar on stderr."""
    from rich.console import Console
    from rich.progress import track

    return track(records, "writing pictures", total=count, console=Console(stderr=True))


def main() -> None:
    """Parse the command line and write the dataset."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.dataset", description=__doc__)
    parser.add_argument("--to", required=True, choices=sorted(SAVE), help="the format to write")
    parser.add_argument("--output", required=True, type=Path, help="a new or empty folder")
    parser.add_argument("--source", type=Path, default=Path("data/converted"), help="a converted dataset")
    given = parser.parse_args()
    print(f"dataset: {write_as(given.to, given.source, given.output, watch=_shown)}")


if __name__ == "__main__":
    sys.exit(guarded("dataset", main))
