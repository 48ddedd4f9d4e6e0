"""A raw picture at a glance: enough to tell whether it has changed, and no object of it where it has not."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

from netwright.data.conversion.raw import RawPicture
from netwright.data.formats.labelled_files import LabelledFiles, Row


class Glance(NamedTuple):
    """``said`` changes with the picture, its labels and what the dataset says of it; ``picture`` makes it."""

    name: str
    source: str
    said: str
    picture: Callable[[], RawPicture]


def glances(pictures: Iterable[RawPicture]) -> Iterator[Glance]:
    """Yield a glance at each of ``pictures``. Files are looked at, not opened."""
    if isinstance(pictures, LabelledFiles):
        for row in pictures.rows:
            yield _of_row(pictures, row)
        return
    for raw in pictures:
        yield Glance(raw.name, raw.source, _said(raw), partial(_itself, raw))


def _of_row(files: LabelledFiles, row: Row) -> Glance:
    """As of the row's picture, in half the time."""
    picture = f"{files.folder}/{row.picture}"
    facts = f"{row.name}\0{row.split}\0{row.group}\0{files.state_of(row)}\0{not row.label}"
    source = row.label or row.picture
    return Glance(row.name, source, f"{facts}\0{source}\0{_file(picture)}", partial(files.picture, row))


def _said(raw: RawPicture) -> str:
    file = hashlib.sha256(raw.content).hexdigest() if isinstance(raw.content, bytes) else _file(str(raw.content))
    return f"{raw.name}\0{raw.split}\0{raw.group}\0{raw.state}\0{raw.labels is None}\0{raw.source}\0{file}"


def _file(path: str) -> str:
    try:
        facts = os.stat(path)  # noqa: PTH116 once for each of perhaps 100,000 pictures
    except OSError:
        return f"missing:{path}"
    return f"{facts.st_mtime_ns}:{facts.st_size}:{facts.st_ino}:{facts.st_ctime_ns}:{path}"


def _itself(raw: RawPicture) -> RawPicture:
    return raw
