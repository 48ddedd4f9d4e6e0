"""The dataset contract: ``manifest.json`` beside Parquet shards that hold pictures and boxes together.

A shard holds rows of one split, cut by a hash of the record's name, so that one changed picture touches one shard.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from netwright.artifacts.whole_file import sha256_of, whole_file, write_json
from netwright.errors import UserError

MANIFEST = "manifest.json"
_SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("image", pa.binary()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("boxes", pa.list_(pa.float32())),
        ("labels", pa.list_(pa.int32())),
        ("group", pa.string()),
        ("source", pa.string()),
    ]
)


@dataclass(frozen=True, kw_only=True)
class Record:
    """One labelled picture.

    ``image`` is the encoded file (JPEG or PNG), ``boxes`` (N, 4) float32 xyxy in pixels, ``labels`` (N,) int64
    indices into the manifest's classes, ``group`` what must not be split (a video, a patient), ``source`` the path
    relative to the raw dataset.
    """

    name: str
    split: str
    image: bytes
    width: int
    height: int
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    group: str = ""
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One Parquet file of the dataset."""

    file: str
    split: str
    images: int
    boxes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a converted dataset holds: its name, classes in label order, and shards."""

    name: str
    classes: tuple[str, ...]
    shards: tuple[Shard, ...]

    def images(self, split: str) -> int:
        """Number of pictures in ``split``."""
        return sum(shard.images for shard in self.shards if shard.split == split)


def write_dataset(
    folder: Path, name: str, classes: tuple[str, ...], records: Iterable[Record], *, shards_per_split: int = 1
) -> Manifest:
    """Write ``records`` as shards and then the manifest, each file whole. Names must be unique in the dataset."""
    shelves: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        shelves.setdefault((record.split, _shard_of(record.name, shards_per_split)), []).append(record)
    shards = tuple(
        _write_shard(folder, split, number, sorted(rows, key=lambda row: row.name))
        for (split, number), rows in sorted(shelves.items())
    )
    manifest = Manifest(name=name, classes=classes, shards=shards)
    write_json(folder / MANIFEST, asdict(manifest))
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest. Raises UserError where it is missing or damaged."""
    try:
        value: dict[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
        shards = tuple(Shard(**row) for row in value["shards"])
        return Manifest(name=value["name"], classes=tuple(value["classes"]), shards=shards)
    except FileNotFoundError:
        raise UserError(f"no {MANIFEST} in {folder}: run the convert stage first (dvc repro convert)") from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder / MANIFEST} is damaged ({error}): delete {folder} and run dvc repro") from None


def read_records(folder: Path, split: str) -> Iterator[Record]:
    """Yield the records of ``split`` in shard and name order. Raises UserError for a missing or damaged shard."""
    for shard in read_manifest(folder).shards:
        if shard.split == split:
            yield from _read_shard(folder / shard.file, split)


def _shard_of(name: str, shards: int) -> int:
    return int.from_bytes(hashlib.sha256(name.encode("utf-8")).digest()[:8], "big") % shards


def _write_shard(folder: Path, split: str, number: int, rows: list[Record]) -> Shard:
    columns = {
        "name": [row.name for row in rows],
        "image": [row.image for row in rows],
        "width": [row.width for row in rows],
        "height": [row.height for row in rows],
        "boxes": [row.boxes.reshape(-1) for row in rows],
        "labels": [row.labels.astype(np.int32) for row in rows],
        "group": [row.group for row in rows],
        "source": [row.source for row in rows],
    }
    path = folder / f"{split}-{number:03d}.parquet"
    with whole_file(path) as temporary:
        pq.write_table(pa.table(columns, schema=_SCHEMA), temporary, compression="none", row_group_size=64)
    boxes = sum(len(row.labels) for row in rows)
    return Shard(file=path.name, split=split, images=len(rows), boxes=boxes, sha256=sha256_of(path))


def _read_shard(path: Path, split: str) -> Iterator[Record]:
    try:
        with pq.ParquetFile(path) as shard:
            for batch in shard.iter_batches(batch_size=64):
                for row in batch.to_pylist():
                    yield _record(row, split)
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run the convert stage again (dvc repro convert)") from None
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk's fault, not the file's
            raise
        raise UserError(f"{path} is damaged ({error}): delete its folder and run dvc repro convert") from None


def _record(row: dict[str, Any], split: str) -> Record:
    return Record(
        name=row["name"],
        split=split,
        image=row["image"],
        width=row["width"],
        height=row["height"],
        boxes=np.asarray(row["boxes"], dtype=np.float32).reshape(-1, 4),
        labels=np.asarray(row["labels"], dtype=np.int64),
        group=row["group"],
        source=row["source"],
    )
