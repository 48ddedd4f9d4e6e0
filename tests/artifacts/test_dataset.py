"""A damaged dataset is one clear line, wherever the damage lies."""

from pathlib import Path

import numpy as np
import pytest

from netwright.artifacts.dataset import Record, read_labels, read_records, write_dataset
from netwright.errors import UserError


@pytest.mark.parametrize("cut", ["head", "tail", "empty"])
def test_a_damaged_shard_is_named(tmp_path: Path, cut: str) -> None:
    records = [
        Record(
            name=f"{index}",
            split="train",
            image=bytes(500),
            width=4,
            height=4,
            boxes=np.array([[0, 0, 2, 2]], dtype=np.float32),
            labels=np.zeros(1, dtype=np.int64),
        )
        for index in range(8)
    ]
    write_dataset(tmp_path, "few", ("cat",), records, shards_per_split=1)
    shard = tmp_path / "train-000.parquet"
    whole = shard.read_bytes()
    at = {"head": 4, "tail": len(whole) - 60, "empty": 0}[cut]
    shard.write_bytes(whole[:at] + b"\xff" * 40 + whole[at + 40 :] if cut != "empty" else b"")
    with pytest.raises(UserError, match=r"train-000\.parquet is damaged"):
        list(read_records(tmp_path, "train"))


def test_what_is_known_of_each_box_comes_back_as_it_was_written(tmp_path: Path) -> None:
    record = Record(
        name="straße/ä",
        split="val",
        image=b"\xff\xd8",
        width=9,
        height=4,
        boxes=np.array([[0, 0, 2, 2], [1, 1, 3, 3.5]], dtype=np.float32),
        labels=np.array([1, 0]),
        difficult=np.array([True, False]),
        crowd=np.array([False, True]),
        truncated=np.array([0.25, 1], dtype=np.float32),
        occluded=np.array([0, 3], dtype=np.int8),
        group="film 1",
        source="labels/ä.txt",
    )
    bare = Record(name="bare", split="val", image=b"", width=1, height=1, boxes=record.boxes, labels=record.labels)
    write_dataset(tmp_path, "few", ("cat", "dog"), [record, bare])
    without, found = read_records(tmp_path, "val")
    for name in record.__dataclass_fields__:
        written, read = getattr(record, name), getattr(found, name)
        assert np.array_equal(written, read), name
        assert getattr(written, "dtype", None) == getattr(read, "dtype", None), name
    assert not without.difficult.any()
    assert without.occluded.tolist() == [0, 0]


def test_labels_come_by_name_however_shards_divide_them(tmp_path: Path) -> None:
    box = np.array([[0, 0, 2, 2]], dtype=np.float32)
    records = [
        Record(name=f"{n:02d}", split="val", image=b"x", width=n + 3, height=4, boxes=box, labels=np.array([0]))
        for n in range(12)
    ]
    write_dataset(tmp_path, "few", ("cat",), reversed(records), shards_per_split=4)
    stored = [record.name for record in read_records(tmp_path, "val")]
    labels = read_labels(tmp_path, "val")
    assert stored != sorted(stored)
    assert [(record.name, record.width, record.image) for record in labels] == [
        (f"{n:02d}", n + 3, b"") for n in range(12)
    ]
