"""A raw dataset to the converted one: checked records in Parquet, a report, a page, the manifest last."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from netwright.artifacts.dataset import MANIFEST, Record, write_dataset
from netwright.artifacts.whole_file import write_json, write_text
from netwright.data.page import make_page
from netwright.data.raw import RawDataset, RawPicture
from netwright.data.report import make_report
from netwright.data.validate import Offence, check_picture
from netwright.errors import UserError
from netwright.types import SPLITS

REPORT = "report.json"
PAGE = "index.html"

Watch = Callable[[Iterable[RawPicture], int], Iterable[RawPicture]]


def convert_dataset(raw: RawDataset, folder: Path, *, name: str, shards_per_split: int, watch: Watch) -> dict[str, Any]:
    """Check ``raw`` and write it to ``folder``; return the report. ``watch`` wraps the pictures to show progress.

    Everything is checked before the first file is written, and the manifest, without which no stage reads the folder,
    comes last. Raises UserError for an unreadable picture, a name that comes twice or an empty split.
    """
    if shards_per_split < 1:
        raise UserError(f"dataset.shards_per_split is {shards_per_split}: give 1 or more")
    records, offences = _check(raw, watch)
    report = make_report(name, raw, records, offences)
    page = make_page(report, records)
    _clear(folder)
    write_json(folder / REPORT, report)
    write_text(folder / PAGE, page)
    write_dataset(folder, name, raw.classes, records, shards_per_split=shards_per_split)
    return report


def _check(raw: RawDataset, watch: Watch) -> tuple[list[Record], list[Offence]]:
    records: list[Record] = []
    offences: list[Offence] = []
    for picture in watch(raw.pictures, raw.count):
        record, found = check_picture(picture, raw.classes)
        records.append(record)
        offences.extend(found)
    _refuse_duplicates(records)
    _refuse_empty(records)
    return records, offences


def _clear(folder: Path) -> None:
    """Remove an earlier conversion, which DVC has done already where it runs the stage; the manifest goes first."""
    (folder / MANIFEST).unlink(missing_ok=True)
    for shard in folder.glob("*.parquet"):
        shard.unlink()


def _refuse_duplicates(records: list[Record]) -> None:
    name, count = Counter(record.name for record in records).most_common(1)[0] if records else ("", 0)
    if count > 1:
        raise UserError(f"the picture name {name!r} comes {count} times: names must be unique in a dataset")


def _refuse_empty(records: list[Record]) -> None:
    images = Counter(record.split for record in records)
    boxes = Counter(record.split for record in records if len(record.labels))
    for split in SPLITS:
        if not images[split]:
            raise UserError(f"split {split!r} holds no picture: give it some (split files, or dataset.scenes.{split})")
        if not boxes[split]:
            raise UserError(f"split {split!r} holds no usable box in its {images[split]} pictures: check its labels")
