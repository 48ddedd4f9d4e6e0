"""Images/s of one core to 640 x 640 batches: Pillow and float work for each picture, beside ours.

    python -m benchmarks.loader_speed [--pictures data/raw/bccd/JPEGImages] [--count 48] [--rounds 7] [--out FILE]

- pillow: what a dataset of torchvision's kind does: open the file, letterbox, ToTensor, Normalize, stack.
- encoded: ours from the converted dataset, as the decode cache is filled: Parquet, decode, draw into uint8 planes.
- cached: ours from the decode cache, as training is fed: pictures in random order, and their padded truth.

Ours ends in uint8: the device makes floats and the network normalises. What it takes to make them float32 on this
core too is told apart. The three take turns; each figure is the median over all rounds, for a second of processor
time of one core, with files in the page cache. Pictures of other sizes are cut from the given ones laid side by side,
so that they are as sharp.
"""

import argparse
import itertools
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision.transforms import Compose, Normalize, ToTensor

from netwright.artifacts.dataset import Record, read_labels, write_dataset
from netwright.data.feeding.drawing import Drawing
from netwright.data.feeding.pictures import load_pictures
from netwright.data.feeding.preprocess import fit_geometry
from netwright.training.batches import Feed
from netwright.types import InputSpec

SPEC = InputSpec(height=640, width=640)
SIZES = ((640, 480), (1242, 375), (1920, 1080))
BATCH = 16
QUALITY = 92
GOALS = {"encoded": 4, "cached": 8}
NORMALISE = Compose([ToTensor(), Normalize(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))])

Batches = Callable[[], Iterator[Tensor]]


def pictures_of(folder: Path, size: tuple[int, int], count: int, target: Path) -> list[Path]:
    """``count`` JPEG files of ``size``: the given ones where they are of it already."""
    given = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg"))
    target.mkdir()
    files = []
    for number in range(count):
        files.append(target / f"{number:04d}.jpg")
        content = given[number % len(given)].read_bytes()
        with Image.open(given[number % len(given)]) as picture:
            same = picture.size == size
        if same:
            files[-1].write_bytes(content)
        else:
            _side_by_side(itertools.islice(itertools.cycle(given), number, None), size).save(files[-1], quality=QUALITY)
    return files


def _side_by_side(given: Iterator[Path], size: tuple[int, int]) -> Image.Image:
    canvas, left, top = Image.new("RGB", size), 0, 0
    while top < size[1]:
        with Image.open(next(given)) as picture:
            canvas.paste(picture, (left, top))
            left += picture.width
            if left >= size[0]:
                left, top = 0, top + picture.height
    return canvas


def pillow(files: list[Path]) -> Iterator[Tensor]:
    """The usual way, a batch at a time: float32, normalised."""
    for start in range(0, len(files), BATCH):
        yield torch.stack([NORMALISE(_letterboxed(file)) for file in files[start : start + BATCH]])


def _letterboxed(file: Path) -> Image.Image:
    with Image.open(file) as opened:
        picture = opened.convert("RGB")
    geometry = fit_geometry(*picture.size, SPEC)
    size = round(picture.width * geometry.scale_x), round(picture.height * geometry.scale_y)
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.BILINEAR)
    canvas = Image.new("RGB", (SPEC.width, SPEC.height), (SPEC.pad_value,) * 3)
    canvas.paste(picture, (0, 0))
    return canvas


def encoded(folder: Path, count: int) -> Iterator[Tensor]:
    """Ours from the converted dataset, with one thread."""
    names = tuple(record.name for record in read_labels(folder, "train")[:count])
    blocks = Drawing(folder=folder, split="train", spec=SPEC, names=names, workers=1).blocks()
    return (part for _, block in blocks for part in torch.from_numpy(block).split(BATCH))


def cached(feed: Feed, order: list[int]) -> Iterator[Tensor]:
    """Ours from the decode cache."""
    return (feed.gather(order[start : start + BATCH]).pixels for start in range(0, len(order), BATCH))


def convert(files: list[Path], folder: Path) -> None:
    """The files as a converted dataset with three boxes in each picture."""
    boxes: NDArray[np.float32] = np.array([[10, 10, 90, 80]] * 3, dtype=np.float32)
    records = []
    for file in files:
        with Image.open(file) as picture:
            width, height = picture.size
        labels = np.zeros(3, dtype=np.int64)
        content = file.read_bytes()
        records.append(
            Record(name=file.stem, split="train", image=content, width=width, height=height, boxes=boxes, labels=labels)
        )
    write_dataset(folder, "speed", ("thing",), records)


def rates(ways: dict[str, Batches], count: int, rounds: int) -> dict[str, list[float]]:
    """Images/s of each way in each round, after one round that does not count."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, batches in ways.items():
            begun = time.process_time()  # what others on this core take does not count
            seen = sum(len(batch) for batch in batches())
            found[name].append(seen / (time.process_time() - begun))
            assert seen == count, f"{name} gave {seen} of {count} pictures"
    return {name: values[1:] for name, values in found.items()}


def measure(folder: Path, size: tuple[int, int], count: int, rounds: int, place: Path) -> dict[str, float]:
    """Median images/s of each way for pictures of ``size``."""
    name = "x".join(map(str, size))
    files, data = pictures_of(folder, size, count, place / name), place / f"{name}-converted"
    convert(files, data)
    feed = Feed(load_pictures(data, "train", SPEC, scratch=place, workers=1), "cpu", resident=False)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0)).tolist()
    ways: dict[str, Batches] = {
        "pillow": lambda: pillow(files),
        "encoded": lambda: encoded(data, count),
        "cached": lambda: cached(feed, order),
        "encoded, float here": lambda: (batch.float() for batch in encoded(data, count)),
        "cached, float here": lambda: (batch.float() for batch in cached(feed, order)),
    }
    return {way: median(values) for way, values in rates(ways, count, rounds).items()}


def main() -> None:
    """Measure every size and print images/s and how many times the usual way's that is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, default=Path("data/raw/bccd/JPEGImages"))
    parser.add_argument("--count", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    results = {}
    with tempfile.TemporaryDirectory() as place:
        for size in SIZES:
            found = measure(arguments.pictures, size, arguments.count, arguments.rounds, Path(place))
            results["x".join(map(str, size))] = found
            print(f"{size[0]} x {size[1]}:")
            for way, rate in found.items():
                ratio = rate / found["pillow"]
                goal = GOALS.get(way)
                verdict = "" if goal is None else f"  (goal {goal}: {'reached' if ratio >= goal else 'missed'})"
                print(f"  {way:20} {rate:8.0f} images/s {ratio:7.2f} times{verdict}", flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
