"""Checking a release: its own facts, and the certificate against one that was computed anew."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from netwright.artifacts.certificate import read_certificate
from netwright.certificates.measured import SAME
from netwright.certificates.release import RELEASE, VERSION, check_hashes
from netwright.errors import UserError

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def read_release(folder: Path) -> tuple[dict[str, Any], str]:
    """The certificate of the release in ``folder``, and the commit that made it; schema and hashes are checked.

    Raises UserError that names what is missing, damaged, of another version or another file.
    """
    facts = _release_facts(folder)
    certificate = read_certificate(folder)
    check_hashes(folder, facts["files"])
    check_hashes(folder, certificate["files"])
    return certificate, facts["commit"]


def check_claims(claimed: Mapping[str, Any], anew: Mapping[str, Any]) -> int:
    """Compare leaf by leaf, numbers to a billionth; return how many. Raises UserError for the first that differs."""
    pairs = list(_leaves("", claimed, anew))
    for place, told, found in pairs:
        if not _same(told, found):
            raise UserError(f"the certificate has {place} = {told!r}, the files beside it give {found!r}")
    return len(pairs)


def _release_facts(folder: Path) -> dict[str, Any]:
    path = folder / RELEASE
    try:
        facts: dict[str, Any] = json.loads(path.read_text("utf-8"))
        version, _ = facts["version"], (facts["name"], facts["files"].items())
        if not _COMMIT.fullmatch(facts["commit"]):
            raise UserError(f"{path} names no commit: {facts['commit']!r}")
    except FileNotFoundError:
        raise UserError(f"no {RELEASE} in {folder}: it is no release (python -m pipelines.certify issue)") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is damaged ({error})") from None
    if version != VERSION:
        raise UserError(f"{path} is of version {version!r}, known is {VERSION}")
    return facts


def _leaves(place: str, told: Any, found: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(told, Mapping) and isinstance(found, Mapping):
        for key in dict.fromkeys((*told, *found)):
            yield from _leaves(f"{place}.{key}".lstrip("."), told.get(key), found.get(key))
    elif isinstance(told, list) and isinstance(found, list) and len(told) == len(found):
        for number, pair in enumerate(zip(told, found, strict=True)):
            yield from _leaves(f"{place}[{number}]", *pair)
    else:
        yield place, told, found


def _same(told: Any, found: Any) -> bool:
    if isinstance(told, float | int) and isinstance(found, float | int) and not isinstance(told, bool):
        return abs(told - found) <= SAME * max(1.0, abs(found))
    return bool(told == found)
