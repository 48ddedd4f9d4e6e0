"""Every picture of a raw dataset is examined once, in worker processes; what is known is not looked at again."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import PIL

from netwright.data.checks.validate import ExaminePolicy, examine
from netwright.data.conversion.catalogue import Catalogue
from netwright.data.conversion.catalogue_row import Row, pack
from netwright.data.conversion.code import code_digest
from netwright.data.conversion.examined import Offence
from netwright.data.conversion.raw import RawDataset, RawPicture
from netwright.data.feeding.worker_pool import map_in_workers
from netwright.errors import UserError

CODE = (
    "data/checks",
    "data/conversion",
    "data/embedded",
    "data/feeding/colour.py",
    "data/formats",
    "types.py",
)  # decides what is found in a picture: where it is edited, everything is examined again
_LIBRARIES = f"Pillow {PIL.__version__}, NumPy {np.__version__}"  # they decode and scale
_PIECE = 32  # pictures handed to a worker at a time
_SAVE_EVERY = 16  # pieces: what a killed conversion has to do again

Advance = Callable[[int], None]
_Task = tuple[RawPicture, bytes]


@dataclass(kw_only=True)
class Scan:
    """What a scan did: pictures ``seen``, of which ``examined`` were new or changed, and names that came twice."""

    seen: int = 0
    examined: int = 0
    duplicates: list[Offence] = field(default_factory=list)


def scan(
    raw: RawDataset, policy: ExaminePolicy, catalogue: Catalogue, *, workers: int, advance: Advance = lambda _: None
) -> Scan:
    """Bring ``catalogue`` up to date with ``raw``; ``advance`` hears of every few pictures that are done.

    Raises UserError for what a rule of ``policy`` forbids; what was examined until then is kept.
    """
    known = catalogue.states()
    found = Scan()
    tasks = _unknown(raw.pictures, policy, known, found, advance)
    results = map_in_workers(partial(examine_all, policy=policy), _pieces(tasks), workers=workers)
    try:
        with closing(results):
            for number, rows in enumerate(results):
                catalogue.put(rows)
                found.examined += len(rows)
                advance(len(rows))
                if number % _SAVE_EVERY == _SAVE_EVERY - 1:
                    catalogue.save()
        catalogue.remove(known)  # what is left of them was not met again
    finally:
        catalogue.save()
    return found


def examine_all(tasks: list[_Task], policy: ExaminePolicy) -> list[Row]:
    """Examine a worker's piece of the pictures; runs in its process."""
    return [pack(raw, state, examine(raw, policy), _size(raw)) for raw, state in tasks]


def _unknown(
    pictures: Iterable[RawPicture], policy: ExaminePolicy, known: dict[str, bytes], found: Scan, advance: Advance
) -> Iterator[_Task]:
    """Yield what has to be examined; take what was met out of ``known``."""
    recipe = hashlib.sha256(f"{code_digest(*CODE)}\0{_LIBRARIES}\0{policy!r}".encode()).digest()
    sources: dict[str, str] = {}
    unchanged = 0
    for raw in pictures:
        found.seen += 1
        if raw.name in sources:
            found.duplicates.append(_duplicate(raw, sources[raw.name], policy))
            advance(1)
            continue
        sources[raw.name] = raw.source
        state = _state(raw, recipe)
        if known.pop(raw.name, None) != state:
            yield raw, state
            continue
        unchanged += 1
        if unchanged % _PIECE == 0:
            advance(_PIECE)
    advance(unchanged % _PIECE)


def _duplicate(raw: RawPicture, first: str, policy: ExaminePolicy) -> Offence:
    if policy.action("duplicate_name") == "fail":
        raise UserError(
            f"two pictures are called {raw.name!r} ({first} and {raw.source}): rename one of them, "
            "or set dataset.on_invalid.duplicate_name to drop"
        )
    reason = f"{raw.source} has the name of {first}, which was met before it"
    return Offence(rule="duplicate_name", name=raw.name, label=None, box=None, reason=reason, action="drop")


def _state(raw: RawPicture, recipe: bytes) -> bytes:
    """Changes with the picture, its labels, what the dataset says of it, and the way of examining."""
    if isinstance(raw.content, bytes):
        picture = hashlib.sha256(raw.content).hexdigest()
    else:
        try:
            facts = os.stat(raw.content)  # noqa: PTH116 once for each of perhaps 100,000 pictures
            picture = f"{facts.st_mtime_ns}:{facts.st_size}:{facts.st_ino}:{raw.content}"
        except OSError:
            picture = f"missing:{raw.content}"
    declared = f"{raw.name}\0{raw.source}\0{raw.split}\0{raw.group}\0{raw.state}\0{raw.labels is None}\0{picture}"
    return hashlib.sha256(recipe + declared.encode("utf-8", "surrogateescape")).digest()


def _size(raw: RawPicture) -> int:
    """Bytes of the encoded picture, 0 where there is none."""
    if isinstance(raw.content, bytes):
        return len(raw.content)
    try:
        return raw.content.stat().st_size
    except OSError:
        return 0


def _pieces(tasks: Iterable[_Task]) -> Iterator[list[_Task]]:
    piece: list[_Task] = []
    for task in tasks:
        piece.append(task)
        if len(piece) == _PIECE:
            yield piece
            piece = []
    if piece:
        yield piece
