"""dvc.lock as the source of a certificate's provenance: what each stage read, with which values, and what it made."""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from netwright.artifacts.certificate import RefusedError

LOCK = "dvc.lock"
LAST = "benchmark"  # its own entry is written only after it has run

Stages = Mapping[str, Mapping[str, Any]]


def read_lock(project: Path) -> Stages:
    """The stages of ``project``/dvc.lock before the benchmark. Raises RefusedError where there are none."""
    return {name: entry for name, entry in read_all(project).items() if name != LAST}


def read_all(project: Path) -> Stages:
    """Every stage of ``project``/dvc.lock. Raises RefusedError where there are none."""
    from dvc.utils.serialize import ParseError, parse_yaml  # YAML 1.2: to PyYAML, 1e-05 is text

    path = project / LOCK
    try:
        stages: dict[str, Any] = parse_yaml(path.read_text("utf-8"), path)["stages"]
    except FileNotFoundError:
        raise RefusedError(f"no {LOCK} here: only dvc repro knows what every stage read and made") from None
    except (ParseError, UnicodeDecodeError, KeyError, TypeError):
        raise RefusedError(f"{LOCK} is damaged: git checkout {LOCK}, then dvc repro") from None
    return stages


def hashes_of(stages: Stages) -> dict[str, dict[str, dict[str, str]]]:
    """For each stage DVC's hash of every input (``deps``) and output (``outs``) by path."""
    return {
        name: {side: {row["path"]: row["md5"] for row in entry.get(side, [])} for side in ("deps", "outs")}
        for name, entry in stages.items()
    }


def configuration_of(stages: Stages) -> dict[str, dict[str, Any]]:
    """The values that the stages ran with, by section. Raises RefusedError where two ran with different ones."""
    found: dict[str, dict[str, Any]] = {}
    for name, entry in stages.items():
        for section, values in entry.get("params", {}).get("params.yaml", {}).items():
            if found.setdefault(section, values) != values:
                raise RefusedError(f"{name} ran with other values of {section} than a stage before it: dvc repro")
    return found


def check_outputs_recorded(folder: Path, stages: Stages, only: Collection[str] | None = None) -> None:
    """Raise RefusedError where an output in ``folder``, all or ``only`` some, is not the one that ``stages`` made."""
    for name, sides in hashes_of(stages).items():
        for path, recorded in sides["outs"].items():
            if only is not None and path not in only:
                continue
            if not (folder / path).exists() or dvc_hash(folder / path) != recorded:
                raise RefusedError(f"{path} is not what {LOCK} says that {name} made: dvc repro")


def dvc_hash(path: Path) -> str:
    """The hash that DVC gives a file or a folder: its md5, for a folder that of its listing, with ``.dir`` behind."""
    if path.is_file():
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, _md5).hexdigest()
    listing = json.dumps(sorted(_entries(path), key=lambda entry: entry["relpath"]), sort_keys=True)
    return f"{_md5(listing.encode()).hexdigest()}.dir"


def _entries(folder: Path) -> Iterator[dict[str, str]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield {"md5": dvc_hash(path), "relpath": path.relative_to(folder).as_posix()}


def _md5(content: bytes = b"") -> Any:
    return hashlib.md5(content, usedforsecurity=False)
