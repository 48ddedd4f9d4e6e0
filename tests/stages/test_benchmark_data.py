"""The benchmark's page tells of the data where the conversion told of it, and finds its page by a relative link."""

from pathlib import Path

import pytest

from netwright.data.report.report import make_report, write_report
from netwright.errors import UserError
from stages.benchmark import _data_section
from tests.data.examined_pictures import CLASSES, OFFENCES, PICTURES, about, survey_of


@pytest.fixture
def converted(tmp_path: Path) -> Path:
    folder = tmp_path / "data/converted"
    report = make_report(about(), survey_of(PICTURES, CLASSES), iter(OFFENCES))
    write_report(folder / "report.json", report, iter(OFFENCES))
    return folder


def test_a_described_dataset_is_told_of_with_a_link(converted: Path, tmp_path: Path) -> None:
    (converted / "index.html").write_text("<p>page</p>")
    section = _data_section(converted, tmp_path / "reports")
    assert section is not None
    assert section.page == "../data/converted/index.html"
    assert [(split.name, split.images, split.boxes) for split in section.splits] == [
        ("train", 1, 2),
        ("val", 1, 1),
        ("test", 2, 1),
    ]
    assert section.leakage == "1 group cut in two across splits: accuracies may be too high"


def test_there_is_no_link_to_a_page_that_is_not_there(converted: Path, tmp_path: Path) -> None:
    section = _data_section(converted, tmp_path / "reports")
    assert section is not None
    assert section.page == ""


def test_a_dataset_without_a_report_has_no_section(tmp_path: Path) -> None:
    assert _data_section(tmp_path, tmp_path) is None


def test_a_damaged_report_stops_the_benchmark_in_one_line(converted: Path, tmp_path: Path) -> None:
    (converted / "report.json").write_text("{}")
    with pytest.raises(UserError, match=r"report\.json is damaged"):
        _data_section(converted, tmp_path)
