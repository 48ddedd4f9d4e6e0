"""Which pictures belong together, so that no split may part them: videos, patients, folders.

The dataset's own groups come first; else frames of videos are guessed from names, else the user tells them
(``dataset.split.group_by``).
"""

import re
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from netwright.data.splitting.divide import Countable
from netwright.data.splitting.series import guess_series
from netwright.errors import UserError

_OPTION = "dataset.split.group_by"
_LONGEST_NAME = 1000  # characters that a regular expression gets to see
_PATIENCE = 10.0  # seconds for one expression over all names: a bad one would take years


def group_pictures(pictures: Sequence[Countable], group_by: str) -> tuple[list[Countable], str]:
    """Return ``pictures`` with the groups that ``group_by`` finds, and a line that says what was decided and why.

    ``auto``: the groups that the pictures bring, else a guess (see series); ``none``: every picture alone;
    ``folder``: all of one folder; anything else is a regular expression, searched in each name: what its first group
    (or, without one, the whole expression) matched is the group, and a name without a match stands alone.
    Raises UserError for an expression that is invalid, takes too long or matches nothing, and for names in no folder.
    """
    names = [picture.name for picture in pictures]
    if group_by == "none":
        found, why = [""] * len(names), f"every picture stands alone ({_OPTION} is none)"
    elif group_by == "auto":
        found, why = _auto(pictures)
    elif group_by == "folder":
        found, why = _by_folder(names)
    else:
        found, why = _by_expression(names, group_by)
    grouped = [
        picture if picture.group == group else replace(picture, group=group)
        for picture, group in zip(pictures, found, strict=True)
    ]
    return grouped, why


def _auto(pictures: Sequence[Countable]) -> tuple[list[str], str]:
    own = [picture.group for picture in pictures]
    if any(own):
        return own, f"{_told(own)} that the dataset names stay whole; {_OPTION}: none would part them"
    found, why = guess_series(pictures)
    if any(found):
        return found, f"{_told(found)} stay whole: {why}; {_OPTION}: none would part them"
    return found, f"every picture stands alone: {why}; a regular expression in {_OPTION} would group them"


def _by_folder(names: Sequence[str]) -> tuple[list[str], str]:
    found = [name.rpartition("/")[0] for name in names]
    if names and not any(found):
        raise UserError(
            f"{_OPTION} is folder, but no picture lies in a folder, such as {names[0]!r}: set it to auto, none or a "
            "regular expression over the name"
        )
    return found, f"{_told(found)} stay whole: one for each folder ({_OPTION} is folder)"


def _by_expression(names: Sequence[str], text: str) -> tuple[list[str], str]:
    try:
        expression = re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise UserError(
            f"{_OPTION} is {text!r}, not a regular expression ({error}): mend it, or set auto, none or folder"
        ) from None
    with _patience(text):
        found = [_match(expression, name[:_LONGEST_NAME]) for name in names]
    if names and not any(found):
        raise UserError(
            f"{_OPTION} is {text!r}, which matches no picture's name, such as {names[0]!r}: mend the expression, "
            "or set auto, none or folder"
        )
    return found, f"{_told(found)} stay whole: what {text!r} matched in the name ({_OPTION})"


def _match(expression: re.Pattern[str], name: str) -> str:
    match = expression.search(name)
    if match is None:
        return ""
    return (match[1] if expression.groups else match[0]) or ""


@contextmanager
def _patience(text: str) -> Iterator[None]:
    """Stop an expression that backtracks for ever; only a main thread can be interrupted this way."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def give_up(_signal: int, _frame: object) -> None:
        raise UserError(
            f"{_OPTION} is {text!r}, which takes over {_PATIENCE:g} s on the names: repeat nothing that repeats, "
            "such as (a+)+"
        )

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, _PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _told(groups: Sequence[str]) -> str:
    """How many groups there are, the largest, and how many pictures are in none and stand alone."""
    total = len(groups)
    sizes = Counter(group for group in groups if group)
    largest, size = min(sizes.items(), key=lambda item: (-item[1], item[0]), default=("", 0))
    alone = sum(not group for group in groups)
    rest = f"; {alone} in none" if alone else ""
    return f"{len(sizes)} {'group' if len(sizes) == 1 else 'groups'} (largest {largest!r}: {size} of {total}{rest})"
