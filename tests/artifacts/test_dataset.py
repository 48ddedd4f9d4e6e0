"""A damaged dataset is one clear line, wherever the damage lies."""

from pathlib import Path

import numpy as np
import pytest

from netwright.artifacts.dataset import Record, read_records, write_dataset
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
