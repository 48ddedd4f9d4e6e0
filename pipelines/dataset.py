"""``python -m pipelines.dataset --to coco --output DIR``: the converted dataset, written in a format of others.

With --source a raw dataset (a folder or archive of any format) it is rewritten directly. NOTHING IS CHECKED then:
boxes and pictures are taken as they are, only headers are read; `dvc repro convert` is what checks.
"""

import argparse
import contextlib
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from netwright.artifacts.dataset import MANIFEST, Manifest, Record, read_manifest, read_records
from netwright.data.archives.archive import open_source
from netwright.data.conversion.rare_collections import rare_collections
from netwright.data.conversion.raw import RawDataset
from netwright.data.conversion.source import is_embedded, load_raw
from netwright.data.feeding.worker_pool import prepare_workers, worker_count
from netwright.data.formats import coco, kitti, voc, yolo
from netwright.data.formats.direct import direct_records
from netwright.data.formats.direct_piece import Place, place_piece
from netwright.errors import UserError
from netwright.types import SPLITS
from stages._entry.failures import guarded
from stages.paths import CONVERTED

UNCHECKED = "nothing was checked: boxes and pictures are as in the source, convert is what checks"
FORMATS = {"kitti": kitti, "coco": coco, "voc": voc, "yolo": yolo}
SAVE: dict[str, Callable[[Iterable[Record], Sequence[str], Path], None]] = {
    name: module.save for name, module in FORMATS.items()
}
CHECK_CLASSES: dict[str, Callable[[Sequence[str]], None]] = {
    "kitti": kitti.check_classes,
    "voc": voc.check_classes,
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
    return f"{pictures} pictures in {output}{_told(format_name, lost)}"


def write_direct(
    format_name: str,
    source: Path,
    output: Path,
    *,
    watch: Callable[[Iterator[Record], int], Iterable[Record]],
    link: bool = False,
    workers: int = 0,
) -> str:
    """Write the raw dataset at ``source``, a folder or an archive, as ``format_name`` to ``output``; as write_as.

    Nothing is checked. ``link`` makes hard links of the pictures instead of copies. ``workers`` processes read and
    copy (0: one a processor); what is written does not depend on their number.
    """
    output = output.absolute()
    _check_free(output, source)
    lost: Counter[str] = Counter()
    check = CHECK_CLASSES.get(format_name, lambda _: None)
    with _whole_folder(output) as temporary, rare_collections():
        if worker_count(workers) > 1:
            prepare_workers(place_piece)
        staging = Path(tempfile.mkdtemp(prefix=".staged.", dir=temporary))
        raw = _raw(open_source(source, staging))
        classes = list(raw.classes)
        shared = link or source.is_file()  # what an archive was unpacked to is removed
        place = Place(temporary, FORMATS[format_name].pictures_in, link=shared)
        direct = direct_records(raw, place, classes, check=check, workers=worker_count(workers))
        with contextlib.closing(direct):
            SAVE[format_name](watch(_counted(direct, lost, LOST[format_name]), raw.count), classes, temporary)
        shutil.rmtree(staging)
    how = "linked to the source's" if link and source.is_dir() else "copied"
    return f"{raw.count} {raw.format} pictures {how} in {output}{_told(format_name, lost)}; {UNCHECKED}"


def _raw(folder: Path) -> RawDataset:
    if is_embedded(folder):
        raise UserError(f"--source {folder} draws its pictures: run dvc repro convert, and leave --source out")
    return load_raw(folder, "auto", scenes={}, size=0, seed=0)


def _told(format_name: str, lost: Counter[str]) -> str:
    missing = ", ".join(f"{field} of {count}" for field, count in lost.items())
    return f"; {format_name} has no field for {missing}" if missing else ""


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
            if found:
                lost[field] += found
        yield record


def _check_free(output: Path, source: Path) -> None:
    if output.resolve().is_relative_to(source.resolve()):
        kind = "the converted" if (source / MANIFEST).is_file() else "the raw"
        raise UserError(f"--output {output} is inside {kind} dataset {source}: give a folder elsewhere")
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
    first = list(islice(records, 1))  # the workers begin, and work while the bar is imported
    from rich.console import Console
    from rich.progress import track

    return track(chain(first, records), "writing pictures", total=count, console=Console(stderr=True))


def main() -> None:
    """Parse the command line and write the dataset."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m pipelines.dataset", description=__doc__, formatter_class=form)
    parser.add_argument("--to", required=True, choices=sorted(SAVE), help="the format to write")
    parser.add_argument("--output", required=True, type=Path, help="a new or empty folder")
    parser.add_argument(
        "--source", type=Path, default=CONVERTED, help="a converted dataset, or a raw one: a folder, zip or tar"
    )
    link = "of a raw dataset: hard links instead of copies; the output then SHARES its pictures with the source, "
    parser.add_argument("--link", action="store_true", help=link + "and an edit in place changes both")
    parser.add_argument("--workers", type=int, default=0, help="processes for a raw dataset (0: one a processor)")
    given = parser.parse_args()
    is_raw = given.source != CONVERTED and given.source.exists() and not (given.source / MANIFEST).is_file()
    if given.link and not is_raw:
        raise UserError(f"--link is for a raw dataset, and {given.source} is none: leave --link out")
    if is_raw:
        more = {"link": given.link, "workers": given.workers}
        print(f"dataset: {write_direct(given.to, given.source, given.output, watch=_shown, **more)}")
    else:
        print(f"dataset: {write_as(given.to, given.source, given.output, watch=_shown)}")


if __name__ == "__main__":
    sys.exit(guarded("dataset", main))
