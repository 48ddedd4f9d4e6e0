"""The dataset contract: ``manifest.json`` beside Parquet shards that hold pictures and boxes together.

A shard holds rows of one split, cut by a hash of the record's name, so that one changed picture touches one shard.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from netwright.artifacts.record import Record, Shard
from netwright.artifacts.whole_file import write_json
from netwright.errors import UserError

__all__ = ["MANIFEST", "Manifest", "Record", "Shard", "read_labels", "read_manifest", "read_records", "write_dataset"]

MANIFEST = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a converted dataset holds: its name, classes in label order, and shards.

    ``fingerprint`` is the hex SHA-256 of its content (see netwright.data.conversion.fingerprint), the same
    whatever the order of files, the shards' sizes, the time and the machine.
    """

    name: str
    classes: tuple[str, ...]
    shards: tuple[Shard, ...]
    fingerprint: str = ""

    def images(self, split: str) -> int:
        """Number of pictures in ``split``."""
        return sum(shard.images for shard in self.shards if shard.split == split)


def write_dataset(
    folder: Path,
    name: str,
    classes: tuple[str, ...],
    records: Iterable[Record],
    *,
    shards_per_split: int = 1,
    fingerprint: str = "",
) -> Manifest:
    """Write ``records``, all held in memory, as shards and then the manifest. Names must be unique in the dataset."""
    from netwright.artifacts.shard import write_shard  # Parquet's library takes longer to import than all else here

    shelves: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        shelves.setdefault((record.split, shard_of(record.name, shards_per_split)), []).append(record)
    shards = tuple(
        write_shard(folder / shard_file(split, number), split, sorted(rows, key=lambda row: row.name))
        for (split, number), rows in sorted(shelves.items())
    )
    manifest = Manifest(name=name, classes=classes, shards=shards, fingerprint=fingerprint)
    write_manifest(folder, manifest)
    return manifest


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``manifest`` to ``folder``: the last file of a dataset, without which nobody reads it."""
    write_json(folder / MANIFEST, asdict(manifest))


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest. Raises UserError where it is missing or damaged."""
    try:
        value: dict[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
        shards = tuple(Shard(**row) for row in value["shards"])
        classes, fingerprint = tuple(value["classes"]), str(value["fingerprint"])
        return Manifest(name=value["name"], classes=classes, shards=shards, fingerprint=fingerprint)
    except FileNotFoundError:
        raise UserError(f"no {MANIFEST} in {folder}: run the convert stage first (dvc repro convert)") from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder / MANIFEST} is damaged ({error}): delete {folder} and run dvc repro") from None


def read_records(folder: Path, split: str) -> Iterator[Record]:
    """Yield the records of ``split`` as they are stored: a shard after the other, within each by name.

    Raises UserError for a missing or damaged shard.
    """
    return _stored(folder, split, images=True)


def read_labels(folder: Path, split: str) -> list[Record]:
    """The records of ``split`` by name, however shards divide them, without their pictures: ``image`` is empty.

    Raises UserError for a missing or damaged shard.
    """
    return sorted(_stored(folder, split, images=False), key=lambda record: record.name)


def _stored(folder: Path, split: str, *, images: bool) -> Iterator[Record]:
    from netwright.artifacts.shard import read_shard

    for shard in read_manifest(folder).shards:
        if shard.split == split:
            yield from read_shard(folder / shard.file, split, images=images)


def shard_of(name: str, shards: int) -> int:
    """Number of the shard, of ``shards``, that the record called ``name`` belongs to."""
    return int.from_bytes(hashlib.sha256(name.encode("utf-8")).digest()[:8], "big") % shards


def shard_file(split: str, number: int) -> str:
    """Name of a shard's file."""
    return f"{split}-{number:03d}.parquet"
