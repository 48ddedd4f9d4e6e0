"""What a conversion found and kept, as ``report.json``."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from netwright.artifacts.dataset_report import check_dataset_report
from netwright.artifacts.whole_file import whole_file
from netwright.data.conversion.examined import Offence
from netwright.data.report.survey import Survey
from netwright.data.splitting.audit import DuplicatePair

_REPEATS = 200  # duplicates inside a split that are listed


@dataclass(frozen=True, kw_only=True)
class About:
    """What a conversion knows beside its pictures.

    ``rules`` maps every rule to its action in force and its meaning, in the order to show them. ``mapping`` has
    (class in the source, class here or None where dropped, boxes) for every source class. ``split_origin`` says in a
    line where the splits come from, ``group_origin`` what was held together ("" for nothing); ``duplicates`` are
    the audit's pairs, ``leakage`` (warn, fail) what was to be done about those that lie across splits.
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
    duplicates: Sequence[DuplicatePair] = ()


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
        **_duplicates(about),
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


def _duplicates(about: About) -> dict[str, dict[str, Any]]:
    """Pairs across splits are all listed; of those inside a split, which do less harm, the first."""
    leaks = [pair for pair in about.duplicates if pair.leaks]
    repeats = [pair for pair in about.duplicates if not pair.leaks]
    return {
        "leakage": {"action": about.leakage, **_counted(leaks), "pairs": [asdict(pair) for pair in leaks]},
        "repeats": {**_counted(repeats), "pairs": [asdict(pair) for pair in repeats[:_REPEATS]]},
    }


def _counted(pairs: Sequence[DuplicatePair]) -> dict[str, int]:
    kinds = Counter(pair.kind for pair in pairs)
    return {"exact": kinds["exact"], "near": kinds["near"]}


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
