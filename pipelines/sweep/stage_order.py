"""Which stages there are, in which order, and what two trials must agree on to share one."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

TIMED = "benchmark"  # the stage that times, so nothing else may run beside it


@dataclass(frozen=True)
class Step:
    """One stage of dvc.yaml. Trials with equal ``key`` give it equal values and code, and so do all stages above it."""

    name: str
    key: str


def ordered_steps(
    upstream: Mapping[str, Sequence[str]],
    sections: Mapping[str, Sequence[str]],
    values: Mapping[str, Any],
    tree: str,
) -> list[Step]:
    """Every stage after those that it needs.

    ``upstream`` names for each stage the stages that it reads from, ``sections`` the sections of params.yaml that it
    declares; ``values`` is params.yaml, ``tree`` the hash of the code.
    """
    above: dict[str, set[str]] = {}
    steps: list[Step] = []
    for name in TopologicalSorter(upstream).static_order():
        above[name] = {name}.union(*(above[other] for other in upstream[name]))
        said = {stage: {section: values.get(section) for section in sections[stage]} for stage in sorted(above[name])}
        text = json.dumps([tree, name, said], sort_keys=True)
        steps.append(Step(name, hashlib.sha256(text.encode()).hexdigest()[:24]))
    return steps
