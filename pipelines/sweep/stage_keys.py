"""What two trials must agree on to share a stage."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter
from typing import Any


def stage_keys(
    upstream: Mapping[str, Sequence[str]],
    sections: Mapping[str, Sequence[str]],
    values: Mapping[str, Any],
    tree: str,
) -> dict[str, str]:
    """A key for each stage: equal where the code, the stage's values and those of all stages above it are equal.

    ``upstream`` names for each stage the stages that it reads from, ``sections`` the sections of params.yaml that it
    declares; ``values`` is params.yaml, ``tree`` the hash of the code.
    """
    above: dict[str, set[str]] = {}
    keys: dict[str, str] = {}
    for name in TopologicalSorter(upstream).static_order():
        above[name] = {name}.union(*(above[other] for other in upstream[name]))
        said = {stage: {section: values.get(section) for section in sections[stage]} for stage in above[name]}
        text = json.dumps([tree, name, said], sort_keys=True)
        keys[name] = hashlib.sha256(text.encode()).hexdigest()[:24]
    return keys
