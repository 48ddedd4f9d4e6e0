"""A release: a folder with all that a deployed model needs to be used, judged and checked, put there whole or not."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from netwright.artifacts.certificate import CERTIFICATE
from netwright.artifacts.whole_file import sha256_of, whole_file, write_json
from netwright.errors import UserError

RELEASE = "release.json"  # what belongs to the release and not to the result: its name and commit
VERSION = 1


@contextlib.contextmanager
def new_release(folder: Path, *, replace: bool) -> Iterator[Path]:
    """Yield an empty folder of the same name; on success it becomes ``folder``, on any error it is removed.

    Raises UserError where ``folder`` exists, unless ``replace``: the old one then goes once the new one is whole.
    """
    check_free(folder, replace=replace)
    folder.parent.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        made = workshop / "new" / folder.name
        made.mkdir(parents=True)
        yield made
        check_free(folder, replace=replace)
        _exchange(made, folder, workshop / "old")
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _exchange(made: Path, folder: Path, aside: Path) -> None:
    if folder.exists():
        folder.replace(aside)
    try:
        made.replace(folder)
    except BaseException:
        if aside.exists():
            aside.replace(folder)
        raise


def check_free(folder: Path, *, replace: bool) -> None:
    """Raise UserError where ``folder`` is taken and may not be replaced, or is no release."""
    if not folder.exists():
        return
    if not replace:
        raise UserError(f"{folder} exists: choose another name, or replace it with --replace")
    if not (folder / RELEASE).is_file():
        raise UserError(f"{folder} is no release, so --replace does not touch it: choose another name")


def copy_into(folder: Path, sources: Mapping[str, Path]) -> None:
    """Copy files to their paths below ``folder``. Raises UserError for one that is missing."""
    for name, source in sources.items():
        if not source.is_file():
            raise UserError(f"{source} is missing: dvc repro makes it")
        with whole_file(folder / name) as temporary:
            shutil.copyfile(source, temporary)


def write_release_facts(folder: Path, *, commit: str, files: tuple[str, ...]) -> None:
    """Write release.json: name, commit, and the sha256 of ``files``, which the certificate does not name."""
    hashes = {name: sha256_of(folder / name) for name in (CERTIFICATE, *files)}
    write_json(folder / RELEASE, {"version": VERSION, "name": folder.name, "commit": commit, "files": hashes})


def check_hashes(folder: Path, files: Mapping[str, Any]) -> None:
    """Raise UserError for a file of ``folder`` that is missing or has another sha256 than ``files`` says."""
    for name, recorded in files.items():
        path = folder / name
        if not path.is_file():
            raise UserError(f"{path} is missing")
        if sha256_of(path) != recorded:
            raise UserError(f"{path} is not the file that was certified")
