import pickle
import re
from pathlib import Path

import pytest

from netwright.data.checks.rules import RULES, ExaminePolicy, Findings
from netwright.data.conversion.raw import RawBox, RawPicture
from netwright.errors import UserError

BOX = RawBox(label="cat", corners=(5.0, 6.0, 5.0, 9.0))


def _findings(**options):
    raw = RawPicture(name="a/b", content=b"", labels=None, state="", source="labels/a/b.txt")
    return Findings(raw, ExaminePolicy(**options))


def test_a_rule_left_out_has_its_first_action():
    policy = ExaminePolicy(on_invalid={"tiny": "drop"})
    assert policy.action("tiny") == "drop"
    assert policy.action("overhang") == "clip"
    assert policy.actions()["tiny"] == ("drop", RULES["tiny"].meaning)
    assert list(policy.actions()) == list(RULES)


def test_every_rule_can_be_made_to_fail_and_can_be_passed():
    for rule in RULES.values():
        assert "fail" in rule.actions
        assert len(rule.actions) > 1


def test_an_unknown_rule_and_a_forbidden_action_are_refused():
    with pytest.raises(UserError, match="has a rule 'tinny': known are not_finite, zero_area"):
        ExaminePolicy(on_invalid={"tinny": "drop"})
    with pytest.raises(UserError, match=r"on_invalid\.zero_area is 'keep': it can be drop, fail"):
        ExaminePolicy(on_invalid={"zero_area": "keep"})


def test_a_failure_names_rule_picture_box_and_remedy_in_one_line():
    with pytest.raises(UserError) as caught:
        _findings(on_invalid={"overhang": "fail"}).add("overhang", box=BOX)
    line = str(caught.value)
    assert "\n" not in line
    for part in ("rule overhang", "'a/b'", "labels/a/b.txt", "'cat' (5.0, 6.0, 5.0, 9.0)"):
        assert part in line
    assert line.endswith("or set dataset.on_invalid.overhang to clip or drop")
    assert str(pickle.loads(pickle.dumps(caught.value))) == line  # it crosses processes


def test_an_offence_holds_what_was_found_and_done():
    findings = _findings()
    assert findings.add("zero_area", box=BOX) == "drop"
    assert findings.add("colour_mode", "grey\nas  16-bit") == "keep"
    first, second = findings.offences
    assert (first.rule, first.name, first.label, first.box, first.action) == (
        "zero_area",
        "a/b",
        "cat",
        BOX.corners,
        "drop",
    )
    assert first.reason == RULES["zero_area"].meaning
    assert (second.label, second.box, second.reason, second.action) == (None, None, "grey as 16-bit", "keep")


def test_reasons_hold_no_path_of_this_machine():
    findings = _findings(root="/home/me/set", on_invalid={"bad_label": "drop"})
    findings.add("bad_label", "/home/me/set/labels/a.txt, line 3: four numbers are expected")
    assert findings.offences[0].reason.startswith("labels/a.txt, line 3")


def test_settings_allow_what_the_rules_allow():
    """The dataset section of params.yaml states the same rules and actions, in the same order."""
    section = (
        (Path(__file__).parents[3] / "stages/settings.py").read_text().split("class OnInvalid")[1].split("class ")[0]
    )
    stated = {name: re.findall(r'"(\w+)"', values) for name, values in re.findall(r"(\w+): Literal\[(.*?)\]", section)}
    assert stated == {name: list(rule.actions) for name, rule in RULES.items()}
