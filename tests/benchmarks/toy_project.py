"""A project of a few pictures of blocks and a network of 64 pixels, ready to be trained within seconds."""

import io
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from benchmarks.changed_params import changed_settings, read_params
from netwright.artifacts.dataset import Record, write_dataset
from stages import paths, pretrain_init

ROOT = Path(__file__).resolve().parents[2]
COUNTS = {"train": 8, "val": 4, "test": 4}
CHANGES = {
    "model.backbone": "test_resnet",
    "model.levels": [8, 16],
    "model.height": 64,
    "model.width": 64,
    "model.neck_channels": 16,
    "pretrain_init.weights": "random",
    "train.epochs": 2,
    "train.batch_size": 4,
    "train.threads": 1,
    "train.validate_every": 1,
}


def make_project(folder: Path) -> None:
    """params.yaml, dvc.yaml, data/converted, models/init and the code in ``folder``."""
    settings = changed_settings(read_params(ROOT), CHANGES)
    (folder / "params.yaml").write_text(yaml.safe_dump(_plain(asdict(settings)), sort_keys=False))
    for name in ("dvc.yaml", "netwright", "stages"):
        (folder / name).symlink_to(ROOT / name)
    converted = folder / paths.CONVERTED
    write_dataset(converted, "blocks", ("red", "green"), _records())
    pretrain_init.run(
        model=settings.model, pretrain_init=settings.pretrain_init, data=converted, out=folder / paths.INIT
    )


def _records() -> Iterator[Record]:
    """Red or green blocks on grey; the pictures' names begin with their split's."""
    rng = np.random.default_rng(0)
    for split, count in COUNTS.items():
        for number in range(count):
            picture = np.full((64, 64, 3), 90, dtype=np.uint8)
            x, y = rng.integers(4, 30, 2)
            picture[y : y + 26, x : x + 26, number % 2] = 240
            stream = io.BytesIO()
            Image.fromarray(picture).save(stream, "PNG")
            yield Record(
                name=f"{split}{number}",
                split=split,
                image=stream.getvalue(),
                width=64,
                height=64,
                boxes=np.array([[x, y, x + 26, y + 26]], dtype=np.float32),
                labels=np.array([number % 2], dtype=np.int64),
            )


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
