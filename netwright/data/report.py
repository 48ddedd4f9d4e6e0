"""What a conversion found and kept, as ``report.json``."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netwright.artifacts.dataset_report import check_dataset_report
from netwright.artifacts.whole_file import whole_file
from netwright.data.examined import Offence
from netwright.data.survey import Survey

if TYPE_CHECKING:
    from netwright.data.audit import DuplicatePair


@dataclass(frozen=True, kw_only=True)
class About:
    """What a conversion knows beside its pictures.

    ``rules`` maps every rule to its action in force and its meaning, in the order to show them. ``mapping`` has
    (class in the source, class here or None where dropped, boxes) for every source class. ``split_origin`` says in a
    line where the splits come from, ``group_origin`` what was held together ("" for nothing); ``duplicates`` are
    pictures that lie in two splits, ``leakage`` (warn, fail) what was to be done about them.
    """

    name: str
    format: str
    notes: tuple[str, ...]
    classes: tuple[str, ...]
    fingerprint: str
    rules: Mapping[str, tuple[str, str]]
    split_origin: str
    group_origin: str = ""
    leakage: str = "warn"
    mapping: Sequence[tuple[str, str | None, int]] = ()
    duplicates: "Sequence[DuplicatePair]" = ()


def make_report(about: About, survey: Survey, offences: Iterable[Offence]) -> dict[str, Any]:
    """Everything of report.json but ``offenders``, which ``write_report`` adds; JSON values only."""
    found = Counter((offence.rule, offence.action, offence.box is not None) for offence in offences)
    return {
        "version": 1,
        "name": about.name,
        "format": about.format,
        "fingerprint": about.fingerprint,
        "notes": list(about.notes),
        "classes": list(about.classes),
        "class_mapping": [
            {"source": source, "target": target, "boxes": boxes} for source, target, boxes in about.mapping
        ],
        **survey.facts,
        "split_origin": about.split_origin,
        "group_origin": about.group_origin,
        "leakage": _leakage(about),
        "boxes_dropped": sum(count for (_, action, box), count in found.items() if box and action == "drop"),
        "boxes_clipped": sum(count for (_, action, box), count in found.items() if box and action == "clip"),
        "rules": _rules(about, found),
    }


def _rules(about: About, found: Mapping[tuple[str, str, bool], int]) -> dict[str, dict[str, Any]]:
    """Each rule with its count, one that ``about`` does not know too: nothing that was found stays unsaid."""
    counts: Counter[str] = Counter()
    taken = {}
    for (rule, action, _), count in sorted(found.items()):
        counts[rule] += count
        taken[rule] = action
    rules = {rule: (action, rule) for rule, action in taken.items()} | dict(about.rules)
    order = [*about.rules, *(rule for rule in taken if rule not in about.rules)]
    return {rule: {"count": counts[rule], "action": rules[rule][0], "meaning": rules[rule][1]} for rule in order}


def _leakage(about: About) -> dict[str, Any]:
    kinds = Counter(pair.kind for pair in about.duplicates)
    pairs = [
        {
            "kind": pair.kind,
            "first": pair.first,
            "first_split": pair.first_split,
            "second": pair.second,
            "second_split": pair.second_split,
            "distance": pair.distance,
        }
        for pair in about.duplicates
    ]
    return {"action": about.leakage, "exact": kinds["exact"], "near": kinds["near"], "pairs": pairs}


def write_report(path: Path, report: Mapping[str, Any], offences: Iterable[Offence]) -> None:
    """Write ``report`` (see make_report) whole to ``path`` with every one of ``offences``, one at a time."""
    check_dataset_report({**report, "offenders": []})
    head = json.dumps(report, indent=2, allow_nan=False).removesuffix("\n}")
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        stream.write(f'{head},\n  "offenders": [')
        comma = ""
        for offence in offences:
            stream.write(f"{comma}\n    {json.dumps(_offender(offence), allow_nan=False)}")
            comma = ","
        stream.write("\n  ]\n}\n" if comma else "]\n}\n")


def _offender(offence: Offence) -> dict[str, Any]:
    """JSON has no NaN, so such a corner is written as a word."""
    box = offence.box and [float(value) if math.isfinite(value) else str(value) for value in offence.box]
    return {
        "rule": offence.rule,
        "action": offence.action,
        "name": offence.name,
        "label": offence.label,
        "box": box,
        "reason": offence.reason,
    }
