"""Slots: git worktrees in scratch, one for each worker, in which trials run one after the other."""

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from pipelines.sweep.places import LOCK, RESULTS, Places, locked, locked_at_once
from pipelines.sweep.snapshot import git

SLOTS = "slots"
WORKTREES_LOCK = "netwright-worktrees.lock"  # in .git, beside the list that it guards


class Slot(NamedTuple):
    """A worktree, and its lock: a process that inherits it keeps the worktree from others as long as it lives."""

    folder: Path
    lock: TextIO


@contextlib.contextmanager
def slot(places: Places, commit: str) -> Iterator[Slot]:
    """Hold a worktree of ``commit``, the first that no other trial of the sweep uses; a new one where all are in use.

    Outs and dvc.lock stay in it from trial to trial: DVC replaces what differs.
    """
    for number in count():
        folder = places.work / SLOTS / str(number)
        with locked_at_once(folder.with_suffix(".lock")) as lock:
            if lock:
                _check_out(places.project, folder, commit)
                yield Slot(folder, lock)
                return


def link_inputs(project: Path, folder: Path, values: Mapping[str, Any]) -> None:
    """Make the data that git does not know visible in the slot ``folder``: the raw dataset, a local weights file."""
    for path in (values["dataset"]["source"], values["pretrain_init"]["weights"]):
        original, link = project / path, folder / path
        if original.exists() and not link.exists() and not Path(path).is_absolute():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(original)


def remove_slots(places: Places) -> None:
    """Remove the slots of this sweep and of sweeps that were killed, but those in which a trial still ends.

    The lock files stay: a lock on a file that is no longer there would be none.
    """
    for slots in (places.scratch / RESULTS).glob(f"*/{SLOTS}/"):
        work = slots.parent
        with contextlib.nullcontext(True) if work == places.work else locked_at_once(work / LOCK) as ours:
            for folder in slots.glob("*/") if ours else ():
                with locked_at_once(folder.with_suffix(".lock")) as free:
                    if free:
                        _remove(places.project, folder)
    with _worktrees(places.project):
        git(places.project, "worktree", "prune", refused="")


def _check_out(project: Path, folder: Path, commit: str) -> None:
    if (folder / ".git").is_file() and git(folder, "rev-parse", "HEAD", refused="") == commit:
        return
    _remove(project, folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _worktrees(project):
        git(project, "worktree", "prune")
        git(project, "worktree", "add", "--detach", "--force", "--quiet", str(folder), commit)


def _remove(project: Path, folder: Path) -> None:
    with _worktrees(project):
        git(project, "worktree", "remove", "--force", "--force", str(folder), refused="")
    shutil.rmtree(folder, ignore_errors=True)


def _worktrees(project: Path) -> contextlib.AbstractContextManager[TextIO]:
    """Hold the repository's list of worktrees: git fails at an entry that another git is just writing."""
    return locked(project / git(project, "rev-parse", "--git-common-dir") / WORKTREES_LOCK)
