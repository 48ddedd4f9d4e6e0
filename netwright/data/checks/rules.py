"""The rules of the checks: what each means, what may be done about it, and how an offence is recorded."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from netwright.data.conversion.examined import Offence
from netwright.data.conversion.raw import RawBox, RawPicture
from netwright.errors import UserError

Corners = tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """``actions`` are allowed in ``dataset.on_invalid``, the first being the default; ``meaning`` is for the report."""

    subject: Literal["box", "picture"]
    actions: tuple[str, ...]
    meaning: str


def _box(actions: str, meaning: str) -> Rule:
    return Rule(subject="box", actions=tuple(actions.split()), meaning=meaning)


def _picture(actions: str, meaning: str) -> Rule:
    return Rule(subject="picture", actions=tuple(actions.split()), meaning=meaning)


RULES: Mapping[str, Rule] = {
    "not_finite": _box("drop fail", "a corner of the box is NaN or infinite"),
    "zero_area": _box("drop fail", "the box has no width or no height"),
    "inverted": _box("drop fail", "the box's right edge is left of its left one, or its bottom above its top"),
    "outside": _box("drop fail", "the box lies wholly outside the picture"),
    "overhang": _box("clip drop fail", "the box reaches over the picture's edge"),
    "tiny": _box("keep drop fail", "the box has a side shorter than dataset.tiny_pixels"),
    "near_identical": _box("drop keep fail", "the box repeats another of its class in the picture (IoU 0.95 or more)"),
    "unknown_class": _box("drop fail", "the box's class is neither declared nor named in dataset.class_mapping"),
    "crowd": _box("drop keep fail", "the box is around a crowd, not one object"),
    "difficult": _box("keep drop fail", "the box is marked as difficult"),
    "missing_image": _picture("drop fail", "a label file has no picture"),
    "missing_label": _picture("drop keep fail", "the picture has no label file (keep: a picture without objects)"),
    "bad_label": _picture("fail drop", "the label file cannot be parsed"),
    "unreadable": _picture("fail drop", "the picture is truncated, corrupt, too large or of an unknown format"),
    "colour_mode": _picture("keep drop fail", "the picture is not 8-bit RGB or grey: it is shown as 8-bit RGB"),
    "animated": _picture("drop keep fail", "the picture has several frames (keep: the first one)"),
    "exif_rotation": _picture("keep drop fail", "EXIF turns the picture: its boxes are taken as of the turned one"),
    "size_mismatch": _picture("keep drop fail", "the label file states another size: the picture's own is used"),
    "duplicate_name": _picture("fail drop", "another picture has this name"),
}


@dataclass(frozen=True, kw_only=True)
class ExaminePolicy:
    """What is done about each offence, and the limits.

    ``on_invalid`` maps rules to actions (a rule left out: its default). ``class_mapping`` maps source classes to
    ours, None drops; with entries, a class that it does not name is unknown, and so is one that is not among
    ``classes`` where the format declares them. ``tiny_pixels``: sides below are tiny. ``max_pixels`` (at most Pillow's
    own 89 million) and ``max_bytes`` are a picture's largest sizes. ``root`` is cut from paths in reasons, so that
    reports are the same on every machine. Raises UserError for an unknown rule or an action that it does not allow.
    """

    on_invalid: Mapping[str, str] = field(default_factory=dict)
    class_mapping: Mapping[str, str | None] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    tiny_pixels: float = 2.0
    max_pixels: int = 89_478_485
    max_bytes: int = 2**28
    root: str = ""

    def __post_init__(self) -> None:
        for rule, action in self.on_invalid.items():
            if rule not in RULES:
                raise UserError(f"dataset.on_invalid has a rule {rule!r}: known are {', '.join(RULES)}")
            if action not in RULES[rule].actions:
                raise UserError(f"dataset.on_invalid.{rule} is {action!r}: it can be {', '.join(RULES[rule].actions)}")

    def action(self, rule: str) -> str:
        """What is done about ``rule``."""
        return self.on_invalid.get(rule, RULES[rule].actions[0])

    def actions(self) -> dict[str, tuple[str, str]]:
        """Every rule's action in force and its meaning, in the order to show them."""
        return {name: (self.action(name), rule.meaning) for name, rule in RULES.items()}


class Findings:
    """The offences of one picture, collected while it is examined."""

    def __init__(self, raw: RawPicture, policy: ExaminePolicy) -> None:
        self.offences: list[Offence] = []
        self._raw = raw
        self._policy = policy

    def add(self, rule: str, reason: str = "", box: RawBox | None = None) -> str:
        """Record an offence (``reason``: the rule's meaning by default) and return its action.

        Raises UserError where the action is fail.
        """
        action = self._policy.action(rule)
        reason = " ".join((reason or RULES[rule].meaning).split())
        if self._policy.root:
            reason = reason.replace(self._policy.root.rstrip("/") + "/", "")
        if action == "fail":
            raise UserError(self._refusal(rule, reason, box))
        self.offences.append(
            Offence(
                rule=rule,
                name=self._raw.name,
                label=box.label if box else None,
                box=box.corners if box else None,
                reason=reason,
                action=action,
            )
        )
        return action

    def _refusal(self, rule: str, reason: str, box: RawBox | None) -> str:
        others = " or ".join(action for action in RULES[rule].actions if action != "fail")
        which = f", box {box.label!r} {box.corners}" if box else ""
        return (
            f"picture {self._raw.name!r} ({self._raw.source}){which}: {reason} (rule {rule}): "
            f"mend it, or set dataset.on_invalid.{rule} to {others}"
        )
