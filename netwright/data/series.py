"""Guessing videos from the names of their frames: video1_000123, clipA/frame_0004."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from netwright.data.divide import Countable

_NUMBER = re.compile(r"([0-9]+)[^0-9]*$")
_EXPORTED = re.compile(r"_(?:jpe?g|png|bmp)\.rf\.[0-9a-fA-F]{8,}$")  # Roboflow: one picture's augmented copies
_YEAR = re.compile(r"(?:19|20)\d\d[-_. ]?")  # 2007_000123: photographs of a year are no video
_LEAST_SERIES = 3  # fewer cannot fill three splits
_LEAST_COVERED = 0.8  # of the pictures must be in a series of at least _LEAST_FRAMES
_LEAST_FRAMES = 2
_LARGEST = 0.8  # of the pictures at most in one series
_LEAST_REPEATED = 0.2  # of the numbers in folders must come in several folders: a camera's counter never repeats


def guess_series(pictures: Sequence[Countable]) -> tuple[list[str], str]:
    """Return each picture's series ("" for all where there seem to be none), and why, as part of a sentence.

    A name is read as prefix and number (the last digits of its file name). It takes several prefixes, with several
    numbers each, to speak of videos: BloodImage_00012 or 000123 alone do not.
    """
    parts = [_read(picture.name) for picture in pictures]
    sizes = Counter(prefix for prefix, _ in parts)
    doubt = _doubt(parts, sizes) or _doubt_classes(pictures, parts)
    if doubt:
        return _augmented(pictures) or ([""] * len(pictures), doubt)
    example = min(pictures, key=lambda picture: picture.name).name
    return [prefix for prefix, _ in parts], f"names look like frames of videos, such as {example!r}"


def _augmented(pictures: Sequence[Countable]) -> tuple[list[str], str] | None:
    """Groups of copies that an export made of one picture, if there are any."""
    originals = [_EXPORTED.sub("", picture.name) for picture in pictures]
    if len(set(originals)) == len(originals):
        return None
    return originals, "names show augmented copies of one picture (.rf. and a code, as Roboflow exports them)"


def _read(name: str) -> tuple[str, str]:
    """("clipA/frame_", "0004") of clipA/frame_0004; no number: the whole name and ""."""
    folder, slash, stem = _EXPORTED.sub("", name).rpartition("/")
    match = _NUMBER.search(stem)
    if match is None:
        return folder + slash + stem, ""
    return folder + slash + stem[: match.start(1)], match[1]


def _doubt(parts: Sequence[tuple[str, str]], sizes: Mapping[str, int]) -> str:
    """Why the prefixes are no series, or ""."""
    total = len(parts)
    series = {prefix: size for prefix, size in sizes.items() if size >= _LEAST_FRAMES}
    if len(series) < _LEAST_SERIES:
        return f"names show {len(series)} series of numbered frames, fewer than {_LEAST_SERIES}"
    if sum(series.values()) < _LEAST_COVERED * total:
        return "most names are not numbered frames of a series"
    largest = max(series.values())
    if largest > _LARGEST * total:
        return f"one series of numbered names holds {largest} of {total} pictures"
    if sum(bool(_YEAR.fullmatch(prefix.rpartition("/")[2])) for prefix in series) == len(series):
        return "names are numbered by year"
    return _doubt_counter(parts)


def _doubt_counter(parts: Sequence[tuple[str, str]]) -> str:
    """Folders that share one running number were sorted by hand: frames of videos start anew in each."""
    if len({prefix.rpartition("/")[2] for prefix, _ in parts}) > 1:
        return ""
    folders = Counter(number for _, number in set(parts))
    if sum(count > 1 for count in folders.values()) < _LEAST_REPEATED * len(folders):
        return "numbers run on across folders, as photographs do"
    return ""


def _doubt_classes(pictures: Sequence[Countable], parts: Sequence[tuple[str, str]]) -> str:
    """Names such as cat_001 and dog_001 say what is shown: kept whole, a class would be in one split only."""
    homes: dict[int, set[str]] = {}
    for picture, (prefix, _) in zip(pictures, parts, strict=True):
        for number, count in enumerate(picture.counts):
            if count:
                homes.setdefault(number, set()).add(prefix)
    confined = sum(len(prefixes) == 1 for prefixes in homes.values())
    if len(homes) > 1 and 2 * confined >= len(homes):
        return f"{confined} of {len(homes)} classes come in one series of names only"
    return ""
