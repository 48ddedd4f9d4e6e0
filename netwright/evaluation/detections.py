"""The detections format: what a detector says of one picture, and the Parquet file that keeps it."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from netwright.artifacts.whole_file import whole_file

_KEYS = ("export", "runtime", "split", "picture")


@dataclass(frozen=True)
class Detections:
    """``boxes`` (N, 4) float32 xyxy in picture pixels, ``scores`` (N,) of 0..1 falling, ``labels`` (N,) int64."""

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]

    def above(self, score: float) -> "Detections":
        """Those of at least ``score``."""
        keep = self.scores >= score
        return Detections(self.boxes[keep], self.scores[keep], self.labels[keep])

    def sound(self) -> "Detections":
        """Those that can be scored.

        One whose score is not a finite number cannot be ranked and goes, as it passes no threshold either. One whose
        box is none (a corner that is not finite, or left and right or top and bottom exchanged) stays with an empty
        box at 0, 0: a false alarm. Metric libraries disagree on both, and some call a box of NaN a perfect find.
        """
        keep = np.isfinite(self.scores)
        boxes = self.boxes[keep]
        proper = np.isfinite(boxes).all(axis=1) & (boxes[:, 2] >= boxes[:, 0]) & (boxes[:, 3] >= boxes[:, 1])
        boxes = np.where(proper[:, None], boxes, np.float32(0))
        return Detections(boxes, self.scores[keep], self.labels[keep])


def write_detections(path: Path, rows: Iterable[tuple[str, str, str, str, Detections]]) -> None:
    """Write (export, runtime, split, picture name, detections) rows to a Parquet file, a line per picture."""
    table: list[dict[str, Any]] = [
        {
            "export": export,
            "runtime": runtime,
            "split": split,
            "picture": picture,
            "boxes": found.boxes.reshape(-1),
            "scores": found.scores,
            "labels": found.labels.astype(np.int32),
        }
        for export, runtime, split, picture, found in rows
    ]
    strings = [(name, pa.string()) for name in _KEYS]
    lists = [("boxes", pa.list_(pa.float32())), ("scores", pa.list_(pa.float32())), ("labels", pa.list_(pa.int32()))]
    with whole_file(path) as temporary:
        pq.write_table(pa.Table.from_pylist(table, schema=pa.schema(strings + lists)), temporary, compression="zstd")


def read_detections(path: Path, split: str | None = None) -> list[tuple[str, str, str, str, Detections]]:
    """Inverse of ``write_detections``; of ``split`` alone where it is given.

    Raises OSError, KeyError, TypeError, ValueError or pyarrow's errors where the file is missing or damaged.
    """
    table = pq.read_table(path, filters=None if split is None else [("split", "=", split)])
    keys = zip(*(table[name].to_pylist() for name in _KEYS), strict=True)
    boxes, scores, labels = (_rows_of(table[name]) for name in ("boxes", "scores", "labels"))
    return [
        (*key, Detections(own.astype(np.float32).reshape(-1, 4), score.astype(np.float32), label.astype(np.int64)))
        for key, own, score, label in zip(keys, boxes, scores, labels, strict=True)
    ]


def _rows_of(column: pa.ChunkedArray) -> list[NDArray[Any]]:
    """The lists of ``column`` as arrays. Python's own lists of them would take twenty times the memory."""
    whole = column.combine_chunks()
    if not pa.types.is_list(column.type) or whole.null_count:
        raise TypeError(f"a column of detections is of {column.type}, with {whole.null_count} entries missing")
    values, ends = whole.values.to_numpy(zero_copy_only=False), whole.offsets.to_numpy()
    return [values[first:last] for first, last in pairwise(ends)]
