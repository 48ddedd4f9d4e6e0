"""One Parquet file of the dataset: rows of one split, pictures and boxes together, sorted by name.

The same rows give the same bytes on every machine: nothing in the file tells when, where or in which order it was made.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from netwright.artifacts.record import Record, Shard
from netwright.artifacts.whole_file import sha256_of, whole_file
from netwright.errors import UserError

_SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("image", pa.binary()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("boxes", pa.list_(pa.float32())),
        ("labels", pa.list_(pa.int32())),
        ("difficult", pa.list_(pa.bool_())),
        ("crowd", pa.list_(pa.bool_())),
        ("truncated", pa.list_(pa.float32())),
        ("occluded", pa.list_(pa.int8())),
        ("group", pa.string()),
        ("source", pa.string()),
    ]
)
_NUMPY = {pa.float32(): np.float32, pa.int32(): np.int32, pa.int8(): np.int8}
_ROWS, _BYTES = 64, 16 << 20  # a row group ends at the first of the two: it is what writing and reading hold in memory


def write_shard(path: Path, split: str, rows: Iterable[Record]) -> Shard:
    """Write ``rows``, sorted by name, to ``path``, whole; no more than one row group is held in memory."""
    images = boxes = 0
    with whole_file(path) as temporary, _writer(temporary) as writer:
        for group in _groups(rows):
            writer.write_table(_table(group))
            images += len(group)
            boxes += sum(len(row.labels) for row in group)
    return Shard(file=path.name, split=split, images=images, boxes=boxes, sha256=sha256_of(path))


def read_shard(path: Path, split: str, *, images: bool = True) -> Iterator[Record]:
    """Yield the records of the file. Raises UserError where it is missing or damaged.

    Without ``images`` the encoded pictures, nearly all of the file, are not read: ``image`` is empty.
    """
    columns = [name for name in _SCHEMA.names if images or name != "image"]
    try:
        with pq.ParquetFile(path) as shard:
            for batch in shard.iter_batches(batch_size=_ROWS, columns=columns):
                for row in batch.to_pylist():
                    yield _record(row, split)
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run the convert stage again (dvc repro convert)") from None
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk's fault, not the file's
            raise
        raise UserError(f"{path} is damaged ({error}): delete its folder and run dvc repro convert") from None


def _writer(path: Path) -> pq.ParquetWriter:
    # photographs neither compress nor repeat, and nobody asks for the smallest one
    return pq.ParquetWriter(path, _SCHEMA, compression="none", use_dictionary=False, write_statistics=["name"])


def _groups(rows: Iterable[Record]) -> Iterator[list[Record]]:
    group: list[Record] = []
    size = 0
    for row in rows:
        group.append(row)
        size += len(row.image)
        if len(group) == _ROWS or size >= _BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _table(rows: list[Record]) -> pa.Table:
    """Columns from plain buffers: ``pa.array`` would import pandas, which takes longer than a shard."""
    columns = {
        "name": _texts([row.name for row in rows]),
        "image": _pieces([row.image for row in rows], pa.binary()),
        "width": _numbers(np.array([row.width for row in rows]), pa.int32()),
        "height": _numbers(np.array([row.height for row in rows]), pa.int32()),
        "group": _texts([row.group for row in rows]),
        "source": _texts([row.source for row in rows]),
    }
    for name in ("boxes", "labels", "difficult", "crowd", "truncated", "occluded"):
        columns[name] = _lists([getattr(row, name).reshape(-1) for row in rows], _SCHEMA.field(name).type)
    return pa.Table.from_arrays([columns[name] for name in _SCHEMA.names], schema=_SCHEMA)


def _texts(texts: list[str]) -> pa.Array:
    return _pieces([text.encode("utf-8") for text in texts], pa.string())


def _pieces(pieces: list[bytes], kind: pa.DataType) -> pa.Array:
    buffers = [None, _offsets([len(piece) for piece in pieces]), pa.py_buffer(b"".join(pieces))]
    return pa.Array.from_buffers(kind, len(pieces), buffers)


def _lists(lists: list[NDArray[Any]], kind: pa.DataType) -> pa.Array:
    values = _numbers(np.concatenate(lists), kind.value_type)
    offsets = _offsets([len(values) for values in lists])
    return pa.Array.from_buffers(kind, len(lists), [None, offsets], children=[values])


def _numbers(values: NDArray[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_boolean(kind):
        content = np.packbits(values.astype(np.bool_), bitorder="little")
    else:
        content = values.astype(_NUMPY[kind])
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(np.ascontiguousarray(content))])


def _offsets(lengths: list[int]) -> pa.Buffer:
    return pa.py_buffer(np.cumsum([0, *lengths], dtype=np.int32))


def _record(row: dict[str, Any], split: str) -> Record:
    return Record(
        name=row["name"],
        split=split,
        image=row.get("image", b""),
        width=row["width"],
        height=row["height"],
        boxes=np.asarray(row["boxes"], dtype=np.float32).reshape(-1, 4),
        labels=np.asarray(row["labels"], dtype=np.int64),
        difficult=np.asarray(row["difficult"], dtype=np.bool_),
        crowd=np.asarray(row["crowd"], dtype=np.bool_),
        truncated=np.asarray(row["truncated"], dtype=np.float32),
        occluded=np.asarray(row["occluded"], dtype=np.int8),
        group=row["group"],
        source=row["source"],
    )
