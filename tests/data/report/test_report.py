"""report.json keeps its schema, lists every offender, and is written whole."""

import json

import pytest

from netwright.artifacts.dataset_report import check_dataset_report, read_dataset_report
from netwright.data.conversion.examined import Offence
from netwright.data.report.report import make_report, write_report
from netwright.data.splitting.audit import DuplicatePair
from netwright.errors import UserError
from tests.data.examined_pictures import CLASSES, HOSTILE, OFFENCES, PICTURES, about, survey_of


def pair(first: str, second: str, splits: tuple[str, str], distance: int) -> DuplicatePair:
    kind = "near" if distance else "exact"
    return DuplicatePair(
        kind=kind, first=first, second=second, first_split=splits[0], second_split=splits[1], distance=distance
    )


def report_of(offences=OFFENCES, pictures=PICTURES, **changes):
    return make_report(about(**changes), survey_of(pictures, CLASSES), iter(offences))


def test_what_is_written_keeps_the_schema_and_can_be_read_back(tmp_path):
    duplicates = [pair("a", "b", ("train", "val"), 0), pair(HOSTILE, "d", ("test", "test"), 3)]
    write_report(tmp_path / "report.json", report_of(duplicates=duplicates), iter(OFFENCES))
    read = read_dataset_report(tmp_path)
    assert read["name"] == HOSTILE
    assert read["class_mapping"][1] == {"source": "dog", "target": None, "boxes": 7}
    assert read["leakage"] == {
        "action": "warn",
        "exact": 1,
        "near": 0,
        "pairs": [
            {"kind": "exact", "first": "a", "second": "b", "first_split": "train", "second_split": "val", "distance": 0}
        ],
    }
    assert (read["repeats"]["exact"], read["repeats"]["near"]) == (0, 1)


def test_every_offender_is_listed_in_order_and_counted_by_rule(tmp_path):
    write_report(tmp_path / "report.json", report_of(), iter(OFFENCES))
    read = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert [(row["rule"], row["name"]) for row in read["offenders"]] == [(o.rule, o.name) for o in OFFENCES]
    assert read["offenders"][0]["box"] == ["nan", "-inf", "inf", 3.0]
    assert read["rules"]["not_finite"]["count"] == 2
    assert read["rules"]["tiny"] == {
        "count": 0,
        "action": "keep",
        "meaning": "the box has a side shorter than dataset.tiny_pixels",
    }
    assert (read["boxes_dropped"], read["boxes_clipped"]) == (5, 1)


def test_a_report_without_offenders_or_pictures_keeps_the_schema(tmp_path):
    write_report(tmp_path / "report.json", report_of((), (), classes=(), mapping=(), fingerprint=""), iter(()))
    assert read_dataset_report(tmp_path)["offenders"] == []


def test_a_rule_that_nobody_announced_is_counted_all_the_same():
    offence = Offence(rule="brand_new", name="a", label=None, box=None, reason="why", action="keep")
    assert report_of([offence])["rules"]["brand_new"] == {"count": 1, "action": "keep", "meaning": "brand_new"}


def test_nothing_is_left_of_a_report_whose_writing_broke_off(tmp_path):
    def breaking():
        yield OFFENCES[0]
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_report(tmp_path / "report.json", report_of(), breaking())
    assert not list(tmp_path.iterdir())


def test_a_report_that_breaks_the_schema_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="fingerprint"):
        write_report(tmp_path / "report.json", report_of(fingerprint="abc"), iter(()))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["", "[1", "{}", '{"version": 1}'])
def test_a_damaged_report_is_one_line(tmp_path, content):
    (tmp_path / "report.json").write_text(content)
    with pytest.raises(UserError, match=r"report\.json is damaged \(.*\): delete"):
        read_dataset_report(tmp_path)


def test_a_missing_report_names_the_stage(tmp_path):
    with pytest.raises(UserError, match="run the convert stage first"):
        read_dataset_report(tmp_path)


def test_the_schema_refuses_a_pair_of_one_split_name_that_does_not_exist():
    report = report_of(duplicates=[pair("a", "b", ("train", "valid"), 0)])
    with pytest.raises(ValueError, match="valid"):
        check_dataset_report({**report, "offenders": []})
