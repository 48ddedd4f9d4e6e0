"""Every picture of a raw dataset is examined once, in worker processes; what is known is not looked at again."""

import hashlib
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
from netwright.data.conversion.glance import Glance, glances
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
    for glance in glances(pictures):
        found.seen += 1
        if glance.name in sources:
            found.duplicates.append(_duplicate(glance, sources[glance.name], policy))
            advance(1)
            continue
        sources[glance.name] = glance.source
        state = hashlib.sha256(recipe + glance.said.encode("utf-8", "surrogateescape")).digest()
        if known.pop(glance.name, None) != state:
            yield glance.picture(), state
            continue
        unchanged += 1
        if unchanged % _PIECE == 0:
            advance(_PIECE)
    advance(unchanged % _PIECE)


def _duplicate(glance: Glance, first: str, policy: ExaminePolicy) -> Offence:
    if policy.action("duplicate_name") == "fail":
        raise UserError(
            f"two pictures are called {glance.name!r} ({first} and {glance.source}): rename one of them, "
            "or set dataset.on_invalid.duplicate_name to drop"
        )
    reason = f"{glance.source} has the name of {first}, which was met before it"
    return Offence(rule="duplicate_name", name=glance.name, label=None, box=None, reason=reason, action="drop")


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
