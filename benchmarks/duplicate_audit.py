"""How well the duplicate audit tells copies from other pictures, and how long it takes.

    python -m benchmarks.duplicate_audit [--pictures data/raw/bccd/JPEGImages] [--scenes 2000] [--every 4]

For each threshold: how many of all pairs of originals are flagged (none should be, unless the set itself holds a copy:
the closest pairs are named), and which part of the copies, made from every n-th picture, is found. Then the audit is
timed on random hashes with planted near copies, all of which it must find.
"""

import argparse
import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from netwright.data.checks.perceptual_hash import FLAT, perceptual_hash
from netwright.data.embedded.glyphs import load_glyphs
from netwright.data.embedded.scenes import draw_scene, encode_scene
from netwright.data.splitting.audit import NEAR, find_duplicates

THRESHOLDS = (2, 4, 6, 8, 10, 12)
Hashes = NDArray[np.uint64]


def copies(picture: Image.Image) -> Iterator[tuple[str, Image.Image]]:
    """Near duplicates of an RGB ``picture``, each with the name of its kind."""
    width, height = picture.size
    for quality in (50, 70, 90):
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=quality)
        yield "JPEG quality 50, 70, 90", Image.open(stream)
    for factor in (0.5, 0.75, 1.5):
        size = round(width * factor), round(height * factor)
        yield "resized by 0.5, 0.75, 1.5", picture.resize(size, Image.Resampling.BILINEAR)
    for factor in (0.9, 1.1):
        yield "brightness x 0.9, 1.1", ImageEnhance.Brightness(picture).enhance(factor)
        yield "contrast x 0.9, 1.1", ImageEnhance.Contrast(picture).enhance(factor)
    right, bottom = round(width * 0.02), round(height * 0.02)
    yield "2 % cropped, centred", picture.crop((right // 2, bottom // 2, width - right // 2, height - bottom // 2))
    yield "2 % cropped at one corner", picture.crop((right, bottom, width, height))


def of_folder(folder: Path) -> Iterator[tuple[str, Image.Image]]:
    """Every JPEG of ``folder`` by its name."""
    for path in sorted(folder.glob("*.jpg")):
        with Image.open(path) as picture:
            yield path.stem, picture.convert("RGB")


def of_scenes(count: int) -> Iterator[tuple[str, Image.Image]]:
    """``count`` embedded scenes of 128 x 128 pixels."""
    glyphs = load_glyphs(0)
    for index in range(count):
        scene = draw_scene(glyphs, seed=0, split="train", index=index, size=128)
        yield scene.name, Image.open(io.BytesIO(encode_scene(scene))).convert("RGB")


def report(title: str, pictures: Iterator[tuple[str, Image.Image]], every: int) -> None:
    """Print the table of one set of pictures."""
    names: list[str] = []
    hashes: list[int] = []
    distances: dict[str, list[int]] = {}
    for index, (name, picture) in enumerate(pictures):
        names.append(name)
        hashes.append(perceptual_hash(picture))
        for kind, copy in copies(picture) if index % every == 0 else ():
            distances.setdefault(kind, []).append((hashes[-1] ^ perceptual_hash(copy)).bit_count())
    found, close = _originals(np.array(hashes, dtype=np.uint64))
    pairs = len(names) * (len(names) - 1) // 2
    print(f"\n## {title}: {len(names)} pictures, {pairs} pairs, {hashes.count(FLAT)} without structure\n")
    print("| | " + " | ".join(f"{threshold} bits" for threshold in THRESHOLDS) + " |")
    print("|---|" + "---|" * len(THRESHOLDS))
    print(_row("pairs of originals flagged", found, "d"))
    for kind, values in distances.items():
        told = np.array(values)
        print(_row(f"{kind}: found", [float((told <= threshold).mean()) for threshold in THRESHOLDS], ".3f"))
    for first, second, distance in close:
        print(f"- {names[first]} and {names[second]}: {distance} bits")


def _row(title: str, values: list[int] | list[float], form: str) -> str:
    return f"| {title} | " + " | ".join(format(value, form) for value in values) + " |"


def _originals(hashes: Hashes) -> tuple[list[int], list[tuple[int, int, int]]]:
    """Number of pairs within each threshold, and the ten closest of them."""
    histogram = np.zeros(65, dtype=np.int64)
    close: list[tuple[int, int, int]] = []
    for index in range(1, len(hashes)):
        distances = np.bitwise_count(hashes[:index] ^ hashes[index])
        histogram += np.bincount(distances, minlength=65)
        near = np.flatnonzero(distances <= THRESHOLDS[-1])
        close += [(int(other), index, int(distances[other])) for other in near]
    found = [int(histogram[: threshold + 1].sum()) for threshold in THRESHOLDS]
    return found, sorted(close, key=lambda pair: pair[2])[:10]


def timing(count: int, planted: int = 100) -> None:
    """Print the time that the audit takes for ``count`` random hashes, ``planted`` of them with a near copy."""
    generator = np.random.default_rng(0)
    hashes = generator.integers(1, 2**64, count, dtype=np.uint64)
    for index in range(planted):
        bits = generator.choice(64, NEAR, replace=False)
        hashes[count // 2 + index] = hashes[index] ^ np.bitwise_or.reduce(np.uint64(1) << bits.astype(np.uint64))
    names = [f"{index:07d}" for index in range(count)]
    splits = ["train"] * (count // 2) + ["test"] * (count - count // 2)
    elapsed = _seconds(lambda: find_duplicates(names, splits, names, hashes))
    found = sum(pair.leaks for pair in find_duplicates(names, splits, names, hashes))
    print(f"{count} hashes: {elapsed:.2f} s of CPU; {found} pairs across splits of {planted} planted")


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def main() -> None:
    """Measure what the options name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, default=Path("data/raw/bccd/JPEGImages"))
    parser.add_argument("--scenes", type=int, default=2000)
    parser.add_argument("--every", type=int, default=4, help="copies are made of every n-th picture")
    options = parser.parse_args()
    if options.pictures.is_dir():
        report(str(options.pictures), of_folder(options.pictures), options.every)
    else:
        print(f"{options.pictures} is not here: left out")
    report("embedded scenes", of_scenes(options.scenes), options.every)
    print("\n## Time\n")
    for count in (20_000, 200_000):
        timing(count)


if __name__ == "__main__":
    main()
