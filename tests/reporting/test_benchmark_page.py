"""The page says what the report says, needs nothing from outside, and is drawn by a real browser."""

import itertools
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netwright.evaluation.detections import Detections
from netwright.reporting.benchmark_page import write_benchmark_page
from netwright.reporting.curves import epochs_in_all, lay_out_curves, read_history
from netwright.reporting.data_section import describe_data
from netwright.reporting.gallery import GalleryPicture, match_greedily
from netwright.reporting.headlines import headlines
from netwright.reporting.scatter import Point, lay_out_scatter
from netwright.reporting.units import amount, decimals, signed, significant

CLASSES = ("cat", "<dog>")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def row(export: str, runtime: str, score: float, milliseconds: float, **other: Any) -> dict[str, Any]:
    return {
        "export": export,
        "model": export.partition("_")[0],
        "precision": export.partition("_")[2],
        "runtime": runtime,
        "runtime_version": "1.0",
        "status": "ok",
        "val": {"map50_95": score + 0.01, "map50": 0.9},
        "test": {"map50_95": score, "map50": 0.93, "per_class": {"cat": score - 0.1, "<dog>": score + 0.1}},
        "latency_ms": {"p50": milliseconds, "p95": milliseconds * 1.5},
        "throughput_ips": 1000 / milliseconds,
        "size_bytes": 2_000_000,
        "params": 1_500_000,
        "macs": 500_000_000,
        "parity": {
            "status": "passed",
            "reason": "agrees",
            "reference": "torch network",
            "matched": 0.985,
            "points_val": -0.02,
        },
    } | other


def sample_report() -> dict[str, Any]:
    return {
        "dataset": "digits",
        "versions": {"torch": "2.15.0"},
        "rows": [
            row("trained_fp32", "openvino", 0.700, 20.0, size_bytes=16_000_000, macs=1_000_000_000),
            row("quantized_int8", "openvino", 0.694, 5.0),
            {
                "export": "quantized_int8",
                "runtime": "tensorrt",
                "model": "quantized",
                "precision": "int8",
                "status": "not_run",
                "reason": "package tensorrt is not installed & no GPU",
            },
            row("pruned_fp32", "torch", 0.69, 11.0, status="failed", reason="ran out of <memory>", test=None),
        ],
        "deployed": "quantized_int8@openvino",
        "baseline": "trained_fp32@openvino",
    }


def sample_gallery() -> list[GalleryPicture]:
    boxes = np.array([[5, 5, 25, 25], [30, 30, 60, 50]], dtype=np.float32)
    found = Detections(boxes[:1] + 1, np.array([0.9], dtype=np.float32), np.array([1], dtype=np.int64))
    pixels = np.full((64, 80, 3), 120, dtype=np.uint8)
    labels = np.array([1, 0], dtype=np.int64)
    return [GalleryPicture(name="a<b>.jpg", pixels=pixels, boxes=boxes, labels=labels, detections=found)]


HISTORIES = {
    "train": [
        {"epoch": 1.0, "loss": 3.0, "map50_95": 0.2},
        {"epoch": 2.0, "loss": 2.0},
        {"epoch": 3.0, "map50_95": 0.6},
    ],
    "pruned": [{"epoch": 1.0, "loss": 2.5, "map50_95": 0.5}],
    "quantized": [],
}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "index.html"
    write_benchmark_page(path, report=sample_report(), histories=HISTORIES, gallery=sample_gallery(), classes=CLASSES)
    return path


class Reader(HTMLParser):
    """Collects text, and every address that the page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "action")]

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())


def test_page_is_self_contained(page: Path) -> None:
    text = page.read_text("utf-8")
    reader = Reader()
    reader.feed(text)
    assert reader.addresses
    assert all(address.startswith(("#", "data:image/")) for address in reader.addresses)
    assert not re.search(r"@import|url\(|https?://(?!www\.w3\.org)", text)


def test_page_shows_headlines_rows_and_reasons(page: Path) -> None:
    reader = Reader()
    reader.feed(page.read_text("utf-8"))
    words = " ".join(word for word in reader.words if word)
    assert "Points lost 0.60" in words
    assert "Speedup 4.00×" in words
    assert "Smaller file 8.00×" in words
    assert "package tensorrt is not installed & no GPU" in words
    assert "ran out of <memory>" in words
    assert "−0.6" in words  # both classes lose 0.6 points
    assert "a<b>.jpg: 2 true boxes" in words


def test_parity_verdicts_tell_what_they_rest_on(page: Path) -> None:
    text = page.read_text("utf-8")
    assert "98.5 % of the reference&#39;s detections found again\n−0.02 points of mAP50-95 on val" in text
    assert "2 of 2 comparisons with their reference agree; 1 more failed to run" in text


def test_foreign_text_is_escaped(page: Path) -> None:
    text = page.read_text("utf-8")
    assert "<dog>" not in text
    assert "&lt;dog&gt;" in text
    assert "ran out of <memory>" not in text


def test_unequal_training_is_said_where_accuracy_is_compared() -> None:
    report = sample_report() | {"epochs": {"trained": 5, "pruned": 18, "quantized": 19}}
    (points,) = (card for card in headlines(report) if card.name.startswith("Points"))
    assert "the baseline has 5 epochs behind it, the deployed 19" in points.note
    assert points.tone == ""
    (equal,) = (card for card in headlines(sample_report()) if card.name.startswith("Points"))
    assert "epochs" not in equal.note
    assert equal.tone == "good"


def test_epochs_add_up_along_the_chain() -> None:
    assert epochs_in_all({"trained": [{}] * 5, "pruned": [{}] * 13, "quantized": [{}]}) == {
        "trained": 5,
        "pruned": 18,
        "quantized": 19,
    }


def test_pruning_names_the_precision_that_is_really_computed(tmp_path: Path) -> None:
    rows = [
        row("trained_fp32", "openvino", 0.7, 20.0, precision_used="bf16"),
        row("pruned_fp32", "openvino", 0.7, 10.0, precision_used="bf16"),
        row("quantized_int8", "openvino", 0.7, 5.0),
    ]
    gain = {"speedup": 2.0, "speedup_low": 1.9, "speedup_high": 2.1}
    report = sample_report() | {"rows": rows, "pruning": {"openvino": gain}}
    write_benchmark_page(tmp_path / "page.html", report=report, histories={}, gallery=[], classes=CLASSES)
    text = (tmp_path / "page.html").read_text("utf-8")
    assert "openvino, computed in bf16" in text
    assert "2.00 times as fast; 95 % interval 1.90 to 2.10" in text


def test_speedup_interval_is_shown_where_measured(tmp_path: Path) -> None:
    report = sample_report() | {"comparison": {"speedup": 3.9, "speedup_low": 3.5, "speedup_high": 4.2}}
    write_benchmark_page(tmp_path / "page.html", report=report, histories={}, gallery=[], classes=CLASSES)
    text = (tmp_path / "page.html").read_text("utf-8")
    assert "3.90×" in text
    assert "95 % interval 3.50 to 4.20" in text


def test_a_report_where_nothing_ran_still_makes_a_page(tmp_path: Path) -> None:
    report = sample_report()
    report["rows"] = [entry for entry in report["rows"] if entry["status"] == "not_run"]
    write_benchmark_page(tmp_path / "page.html", report=report, histories={}, gallery=[], classes=CLASSES)
    assert "No export ran on any runtime." in (tmp_path / "page.html").read_text("utf-8")


def test_same_input_gives_the_same_bytes(page: Path, tmp_path: Path) -> None:
    report = json.loads(json.dumps(sample_report()))
    write_benchmark_page(
        tmp_path / "again.html", report=report, histories=HISTORIES, gallery=sample_gallery(), classes=CLASSES
    )
    assert (tmp_path / "again.html").read_bytes() == page.read_bytes()


def test_matching_takes_the_best_score_first_and_each_truth_once() -> None:
    truth = np.array([[0, 0, 10, 10]], dtype=np.float32)
    boxes = np.array([[0, 0, 10, 9], [0, 0, 10, 10], [0, 0, 10, 4]], dtype=np.float32)
    found = Detections(boxes, np.array([0.9, 0.8, 0.7], dtype=np.float32), np.zeros(3, dtype=np.int64))
    assert match_greedily(found, truth, np.zeros(1, dtype=np.int64)).tolist() == [0, -1, -1]
    assert match_greedily(found, truth, np.ones(1, dtype=np.int64)).tolist() == [-1, -1, -1]
    assert match_greedily(found, truth[:0], np.zeros(0, dtype=np.int64)).tolist() == [-1, -1, -1]


def test_labels_of_the_scatter_do_not_overlap() -> None:
    points = [
        Point(label=f"runtime{index}", series="pruned", speed=50 + index, accuracy=0.7, size=1e6, tip="")
        for index in range(5)
    ]
    plot = lay_out_scatter(points, 900, 430)
    assert plot is not None
    places = {(bubble.label_x, bubble.label_y) for bubble in plot.bubbles}
    assert len(places) == 5
    rows = sorted(y for _, y in places)
    assert all(below - above >= 13 or below == above for above, below in itertools.pairwise(rows))


def test_history_with_epochs_that_were_not_scored(tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text("epoch,loss,map50_95\n1,2.5,\n2,1.5,0.4\n")
    history = read_history(tmp_path / "history.csv")
    assert history == [{"epoch": 1.0, "loss": 2.5}, {"epoch": 2.0, "loss": 1.5, "map50_95": 0.4}]
    chart = lay_out_curves({"train": history}, "map50_95", "mAP", 520, 260)
    assert chart is not None
    assert [text for *_, text in chart.curves[0].marks] == ["train, epoch 2 of 2: 0.4"]
    assert lay_out_curves({"train": []}, "map50_95", "mAP", 520, 260) is None


def dataset_report(**changes: Any) -> dict[str, Any]:
    split = {"images": 1200, "boxes": 3400}
    return {
        "splits": {"train": split, "val": split, "test": split},
        "split_origin": "divided by <video>",
        "group_origin": "",
        "leakage": {"exact": 0, "near": 0, "pairs": []},
        "groups": {"count": 0, "cut": 0, "cut_names": []},
        "rules": {"zero_area": {"count": 2}, "tiny": {"count": 0}},
        "boxes_dropped": 2,
        "boxes_clipped": 0,
        "fingerprint": "ab" * 32,
    } | changes


def test_the_data_is_told_in_short_with_a_link_to_its_own_page(tmp_path: Path) -> None:
    section = describe_data(dataset_report(), "../data/converted/index.html")
    write_benchmark_page(
        tmp_path / "index.html",
        report=sample_report(),
        histories=HISTORIES,
        gallery=sample_gallery(),
        classes=CLASSES,
        data=section,
    )
    text = (tmp_path / "index.html").read_text("utf-8")
    reader = Reader()
    reader.feed(text)
    words = " ".join(word for word in reader.words if word)
    assert "../data/converted/index.html" in reader.addresses
    assert "train 1,200 3,400" in words
    assert "none no picture of one split was found in another" in words
    assert "2 boxes dropped, 0 clipped (zero area 2)" in words
    assert "ab" * 32 in words
    assert "<video>" not in text


@pytest.mark.parametrize(
    ("exact", "near", "cut", "verdict"),
    [
        (1, 0, 0, "1 exact duplicate across splits: accuracies may be too high"),
        (2, 3, 0, "2 exact duplicates, 3 near duplicates across splits: accuracies may be too high"),
        (0, 0, 1, "1 group cut in two across splits: accuracies may be too high"),
    ],
)
def test_leakage_is_said_beside_the_accuracies(exact: int, near: int, cut: int, verdict: str) -> None:
    leakage = {"exact": exact, "near": near, "pairs": []}
    section = describe_data(dataset_report(leakage=leakage, groups={"count": 9, "cut": cut, "cut_names": []}))
    assert (section.leakage, section.leaks) == (verdict, True)


def test_numbers_read_as_people_write_them() -> None:
    assert (decimals(None, 2), decimals(-0.5, 2), signed(0.0001, 1), signed(-1.26, 1)) == ("–", "−0.50", "0.0", "−1.3")
    assert (amount(4_213_000), amount(1_900_000, "B"), amount(12), amount(None)) == ("4.21 M", "1.90 MB", "12", "–")
    assert (significant(5.314), significant(123.4), significant(0.0312)) == ("5.31", "123", "0.031")


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium in PATH (Debian: apt-get install chromium)")
def test_a_browser_draws_it_without_a_script_error(page: Path, tmp_path: Path) -> None:
    """The scripts run: the slider marks the truth that the only prediction does not find as missed."""
    assert CHROMIUM is not None
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    command = [CHROMIUM, *flags.split(), f"--user-data-dir={tmp_path}", "--dump-dom", page.as_uri()]
    drawn = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert len(re.findall(r'class="box missed"', drawn)) == 1
    assert "SyntaxError" not in drawn
