"""Guessing videos from the names of their frames: video1_000123, clipA/frame_0004."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from netwright.data.splitting.divide import Countable

Part = tuple[str, str]  # prefix and number of a name

# a number that is a word of its own or ends one, as those of hexadecimal codes seldom do; the last in any case
_NUMBER = re.compile(r"[0-9]+(?:(?![A-Za-z0-9])|(?=[^0-9]*$))")
_EXPORTED = re.compile(r"_(?:jpe?g|png|bmp)\.rf\.[0-9a-fA-F]{8,}$")  # Roboflow: one picture's augmented copies
_YEAR = re.compile(r"(?:19|20)\d\d[-_. ]?")  # 2007_000123: photographs of a year are no video
_LONGEST_NAME, _MOST_NUMBERS = 300, 6
_MANY_SERIES = 10
_LEAST_SERIES = 3  # fewer cannot fill three splits
_LEAST_COVERED = 0.8  # of the pictures must be in a series of at least _LEAST_FRAMES
_LEAST_FRAMES = 2
_LARGEST = 0.8  # of the pictures at most in one series
_LEAST_REPEATED = 0.2  # of the numbers in folders must come in several folders: a camera's counter never repeats


def guess_series(pictures: Sequence[Countable]) -> tuple[list[str], str]:
    """Return each picture's series ("" for all where there seem to be none), and why, as part of a sentence.

    A name is read as prefix and number, the number being the last one of its file name, or an earlier one: of
    city_000003_000019 and P0012__1__0___824 the prefixes city_ and P0012__ are series, not the longer ones. It takes
    several prefixes, with several numbers each, to speak of videos: BloodImage_00012 or 000123 alone do not. The
    shortest prefix with at least ten series is taken, else the longest with any.
    """
    parts: list[list[Part]] = [_read(picture.name) for picture in pictures]
    doubt, chosen = "there are no pictures", None
    for place in reversed(range(max(map(len, parts), default=0))):
        cut = [ways[min(place, len(ways) - 1)] for ways in parts]
        sizes = Counter(prefix for prefix, _ in cut)
        found = _doubt(cut, sizes) or _doubt_classes(pictures, cut)
        doubt = found if place == max(map(len, parts)) - 1 else doubt
        if not found and (chosen is None or sum(size > 1 for size in sizes.values()) >= _MANY_SERIES):
            chosen = [prefix if sizes[prefix] > 1 else "" for prefix, _ in cut]
    if chosen is None:
        return _augmented(pictures) or ([""] * len(pictures), doubt)
    example = min(pictures, key=lambda picture: picture.name).name
    return chosen, f"names look like frames of videos, such as {example!r}"


def _augmented(pictures: Sequence[Countable]) -> tuple[list[str], str] | None:
    """Groups of copies that an export made of one picture, if there are any."""
    originals = [_EXPORTED.sub("", picture.name) for picture in pictures]
    if len(set(originals)) == len(originals):
        return None
    return originals, "names show augmented copies of one picture (.rf. and a code, as Roboflow exports them)"


def _read(name: str) -> list[Part]:
    """Every way to cut a name, the shortest prefix first: of a/b1_02 these are ("a/b", "1") and ("a/b1_", "02")."""
    folder, slash, stem = _EXPORTED.sub("", name[:_LONGEST_NAME]).rpartition("/")
    cuts = [(folder + slash + stem[: match.start()], match[0]) for match in _NUMBER.finditer(stem)]
    return cuts[-_MOST_NUMBERS:] or [(folder + slash + stem, "")]


def _doubt(parts: Sequence[Part], sizes: Mapping[str, int]) -> str:
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


def _doubt_counter(parts: Sequence[Part]) -> str:
    """Folders that share one running number were sorted by hand: frames of videos start anew in each."""
    if len({prefix.rpartition("/")[2] for prefix, _ in parts}) > 1:
        return ""
    folders = Counter(number for _, number in set(parts))
    if sum(count > 1 for count in folders.values()) < _LEAST_REPEATED * len(folders):
        return "numbers run on across folders, as photographs do"
    return ""


def _doubt_classes(pictures: Sequence[Countable], parts: Sequence[Part]) -> str:
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
