"""What the code itself adds to a cached result's key: what was learnt by edited code is never taken for today's."""

import hashlib
from functools import cache
from pathlib import Path

_LIBRARY = Path(__file__).parents[2]


@cache
def code_digest(*parts: str) -> str:
    """Sha256 (hex) of the Python files of ``parts``: files, or folders with all below, relative to ``netwright/``."""
    whole = hashlib.sha256()
    for part in parts:
        place = _LIBRARY / part
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            content = path.read_bytes()
            whole.update(f"{path.relative_to(_LIBRARY).as_posix()}\0{len(content)}\0".encode() + content)
    return whole.hexdigest()
