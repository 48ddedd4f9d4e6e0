"""The evaluation's page: its charts and tables hold the numbers, and a real browser draws it."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from netwright.artifacts.dataset import Record, write_dataset
from netwright.evaluation.confusion import Confusion
from netwright.evaluation.detections import Detections
from netwright.evaluation.evaluation import evaluate
from netwright.evaluation.truth import read_truth
from netwright.reporting.evaluation_confusion import largest_confusions, lay_out_confusion
from netwright.reporting.evaluation_curves import precision_recall_charts, reliability_chart
from netwright.reporting.evaluation_numbers import Numbers, Settings, by_letter, numbers_of, worst_groups
from netwright.reporting.evaluation_page import write_evaluation_page
from netwright.reporting.evaluation_pictures import draw_worst
from tests.browser import PROGRAM, browser

CLASSES = ("cat", "<dog>")
BOXES = np.array([[10, 10, 60, 60], [70, 10, 90, 40]], np.float32)


def jpeg() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (100, 80), (90, 140, 90)).save(stream, "JPEG")
    return stream.getvalue()


def dataset(folder: Path, image: bytes, pictures: int = 4) -> Path:
    records = [
        Record(
            name=f"p{index}", split="test", image=image, width=100, height=80, boxes=BOXES, labels=np.array([0, 1]),
            group=f"video {index // 2}",
        )
        for index in range(pictures)
    ]  # fmt: skip
    write_dataset(folder, "<pets>", CLASSES, records)
    return folder


def found(*boxes: tuple[int, float, int]) -> Detections:
    """(place in BOXES or -1 for nowhere, score, label) each."""
    corners = [BOXES[place] if place >= 0 else np.array([0, 70, 9, 79], np.float32) for place, _, _ in boxes]
    scores, labels = ([entry[column] for entry in boxes] for column in (1, 2))
    return Detections(np.stack(corners), np.array(scores, np.float32), np.array(labels))


# the cat twice, the dog taken for a cat, a false alarm below the score, and one above it
PERFECT = found((0, 0.9, 0), (1, 0.8, 1))
FLAWED = found((0, 0.9, 0), (1, 0.6, 0), (-1, 0.5, 1), (-1, 0.1, 1))


def numbers(folder: Path, *detections: Detections, **changes: object) -> Numbers:
    truth = read_truth(folder, "test")
    settings = {"split": "test", "iou": 0.5, "score": 0.25, "tao_iou": {}} | changes
    return numbers_of(evaluate(truth, list(detections)), Settings(**settings))  # type: ignore[arg-type]


@pytest.fixture
def rows(tmp_path: Path) -> dict[str, Numbers]:
    folder = dataset(tmp_path / "data", jpeg())
    return {
        "good@torch": numbers(folder, PERFECT, PERFECT, PERFECT, PERFECT),
        "bad@torch": numbers(folder, PERFECT, PERFECT, PERFECT, FLAWED),
    }


def write(path: Path, rows: dict[str, Numbers], folder: Path) -> str:
    write_evaluation_page(path, rows=rows, dataset="<pets>", folder=folder, compared=["A < B"])
    return path.read_text("utf-8")


def test_the_page_is_whole_in_one_file_and_escapes_names(rows: dict[str, Numbers], tmp_path: Path) -> None:
    html = write(tmp_path / "page.html", rows, tmp_path / "data")
    assert "&lt;pets&gt;: evaluation on test" in html
    assert "<dog>" not in html
    assert "A &lt; B" in html
    assert not re.findall(r'(?:src|href)="(?!#|data:)|url\(|@import', html)
    assert html.count("data:image/jpeg") == 1  # one picture has an error


def test_the_best_f1_is_marked_on_the_curve_where_it_lies(rows: dict[str, Numbers]) -> None:
    charts, classes = precision_recall_charts(by_letter(rows))
    assert (len(charts), classes) == (2, 2)
    cat, dog = charts
    assert cat.title == "cat (4 boxes)"
    assert [line.letter for line in cat.lines] == ["A", "B"]
    (mark,) = dog.lines[1].marks
    assert mark.tip == "B: best F1 0.857 at score 0.800\nprecision 1.000, recall 0.75"  # three dogs of four
    left, top, right, _ = dog.frame
    assert (mark.x, mark.y) == (pytest.approx(left + 0.75 * (right - left), abs=0.1), top)


def test_a_row_that_finds_nothing_has_no_line(tmp_path: Path) -> None:
    empty = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
    folder = dataset(tmp_path / "data", jpeg(), pictures=1)
    row = numbers(folder, empty)
    assert [chart.lines for chart in precision_recall_charts({"A": row})[0]] == [[], []]
    assert reliability_chart({"A": row.calibration}).lines == []
    assert "evaluation on test" in write(tmp_path / "page.html", {"none@torch": row}, folder)


def test_beyond_twenty_classes_those_with_most_boxes_are_drawn(tmp_path: Path) -> None:
    labels = np.array([number for number in range(22) for _ in range(2 if number > 1 else 1)])
    boxes = np.tile(BOXES[:1], (len(labels), 1))
    record = Record(name="p", split="test", image=b"-", width=99, height=99, boxes=boxes, labels=labels)
    write_dataset(tmp_path, "many", tuple(f"c{number}" for number in range(22)), [record])
    charts, classes = precision_recall_charts({"A": numbers(tmp_path, found((0, 0.9, 0)))})
    assert ([chart.title for chart in charts][:2], len(charts), classes) == (["c2 (2 boxes)", "c3 (2 boxes)"], 20, 22)


def test_the_reliability_diagram_holds_the_bins_of_what_is_shown(rows: dict[str, Numbers]) -> None:
    line = reliability_chart({"B": rows["bad@torch"].calibration}).lines[0]
    tips = [mark.tip.replace("\n", ", ") for mark in line.marks]
    assert "B: 1 detection of score 0.6 to 0.7, mean score 0.600, 0.0% right" in tips  # the dog taken for a cat
    assert not any("score 0.1" in tip for tip in tips)


def test_a_cell_of_the_confusion_is_a_share_of_the_true_class(rows: dict[str, Numbers]) -> None:
    cat, dog, nothing = lay_out_confusion(rows["bad@torch"].confusion)
    assert [(cell.count, cell.share) for cell in cat.cells] == [(4, 1), (0, 0), (0, 0)]
    assert [(cell.count, cell.share, cell.right) for cell in dog.cells] == [
        (1, 0.25, False),
        (3, 0.75, True),
        (0, 0, False),
    ]
    assert [(cell.count, cell.share) for cell in nothing.cells] == [(0, None), (1, None)]
    assert dog.cells[0].tip == "<dog>: 1 found as cat"


def test_many_classes_give_the_ten_largest_confusions_instead() -> None:
    counts = np.diag(np.full(22, 50))
    counts[3, 4], counts[5, 1] = 7, 12
    counts[-1, -1] = counts[2, 21] = 99  # misses are no confusion of two classes
    counts[10, 11:21] = 1
    confusion = Confusion(classes=tuple(f"c{place}" for place in range(21)), counts=counts, iou=0.5, score=0.25)
    assert lay_out_confusion(confusion) == []
    lines = largest_confusions(confusion)
    assert lines[:3] == ["12 c5 found as c1", "7 c3 found as c4", "1 c10 found as c11"]
    assert len(lines) == 10


def test_the_worst_group_comes_first(rows: dict[str, Numbers]) -> None:
    assert worst_groups(rows["bad@torch"]) == ["video 1", "video 0"]


def test_groups_of_one_picture_each_are_no_parts(tmp_path: Path) -> None:
    folder = dataset(tmp_path, jpeg(), pictures=2)
    assert numbers(folder, PERFECT, PERFECT).groups == {}


def test_the_boxes_of_a_worst_picture_are_told_apart(rows: dict[str, Numbers], tmp_path: Path) -> None:
    (picture,), trouble = draw_worst(rows["bad@torch"], tmp_path / "data")
    assert (picture.name, picture.text, trouble) == ("p3", "F1 0.40, 1 missed, 2 false alarms", "")
    kinds = [(box.kind, box.label, box.x, box.width) for box in picture.boxes]
    assert sorted(kinds) == [
        ("alarm", "<dog>", 0, 9),
        ("alarm", "cat", 70, 20),
        ("missed", "<dog>", 70, 20),
        ("right", "cat", 10, 50),
        ("truth", "cat", 10, 50),
    ]
    html = write(tmp_path / "page.html", rows, tmp_path / "data")
    assert [html.count(f'<g class="mark {kind}"') for kind in ("truth", "right", "missed", "alarm")] == [1, 1, 1, 2]


@pytest.mark.parametrize(
    ("image", "why"), [(b"-", "the picture cannot be decoded"), (None, "there is no such picture")]
)
def test_a_dataset_without_its_pictures_is_one_line(
    rows: dict[str, Numbers], tmp_path: Path, image: bytes | None, why: str
) -> None:
    folder = tmp_path / "elsewhere"
    if image:
        dataset(folder, image)
    html = write(tmp_path / "page.html", rows, folder)
    assert f"No picture is shown: {why}." in html
    assert "<b>p3</b>: F1 0.40, 1 missed, 2 false alarms" in html


@pytest.mark.slow
@pytest.mark.skipif(not PROGRAM, reason="no chromium in PATH (Debian: apt-get install chromium)")
@pytest.mark.parametrize(("width", "count"), [(1280, 1), (400, 8)])
def test_a_browser_draws_it_without_a_sideways_scroll(
    rows: dict[str, Numbers], tmp_path: Path, width: int, count: int
) -> None:
    long = {f"{number}_{'name_of_an_export_' * 4}@torch": rows["bad@torch"] for number in range(count)}
    write(tmp_path / "page.html", long, tmp_path / "data")
    with browser(tmp_path / "profile", (width, 900)) as page:
        page.open((tmp_path / "page.html").as_uri())
        page.wait("document.querySelectorAll('polyline').length > 0")
        assert page.run("document.documentElement.scrollWidth") == width
        dashes = "[...'truth right missed alarm'.split(' ')].map(k => getComputedStyle("
        patterns = page.run(f"{dashes}document.querySelector('.worst .' + k + ' rect')).strokeDasharray)")
        assert len(set(patterns)) == 4
