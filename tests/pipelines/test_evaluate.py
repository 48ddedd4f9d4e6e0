"""The evaluate command on a miniature report and dataset."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from netwright.artifacts.dataset import Record, write_dataset
from netwright.errors import UserError
from netwright.evaluation.coco_numbers import coco_numbers
from netwright.evaluation.detections import Detections, write_detections
from pipelines import evaluate as command
from pipelines.evaluate import Request, measure
from stages._entry.failures import guarded

BOX = np.array([[10, 10, 60, 60]], np.float32)
BESIDE = BOX + np.float32(8)


def _found(box: np.ndarray, score: float = 0.9, label: int = 0) -> Detections:
    return Detections(box, np.array([score], np.float32), np.array([label], np.int64))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    names = [f"p{index}" for index in range(6)]
    records = [
        Record(name=name, split=split, image=b"-", width=100, height=80, boxes=BOX, labels=np.array([0]))
        for split, own in (("val", ["v"]), ("test", names))
        for name in own
    ]
    write_dataset(tmp_path / "data", "tiny", ("[red] cell", "spare"), records)
    rows = [("good", "torch", "test", name, _found(BOX)) for name in reversed(names)]
    rows += [("bad", "onnxruntime", "test", name, _found(BESIDE)) for name in names]
    rows += [("good", "torch", "val", "v", _found(BOX))]
    write_detections(tmp_path / "reports/raw/detections.parquet", rows)
    report = {"baseline": "bad@onnxruntime", "deployed": "good@torch", "rows": []}
    (tmp_path / "reports/benchmark.json").write_text(json.dumps(report), "utf-8")
    return tmp_path


def _request(project: Path, **changes: object) -> Request:
    return Request(**({"reports": project / "reports", "data": project / "data"} | changes))  # type: ignore[arg-type]


def _run(project: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    given = ["--reports", str(project / "reports"), "--data", str(project / "data"), *arguments]
    monkeypatch.setattr(sys, "argv", ["evaluate", *given])
    return guarded("evaluate", command.main)


def test_baseline_and_deployed_are_compared(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(project, monkeypatch, "--resamples", "100") == 0
    out = capsys.readouterr().out
    assert out.startswith("A = bad@onnxruntime\nB = good@torch\n")
    line = next(line for line in out.splitlines() if line.startswith("COCO AP "))
    assert line.split() == ["COCO", "AP", "0.1000", "1.0000"]  # an IoU of 0.545 reaches one of the ten
    assert "mAP50-95 +90.00 (+90.00 to +90.00): B is better" in out
    assert "mAP50    +0.00 (+0.00 to +0.00): these pictures cannot tell" in out


def test_one_row_is_shown_alone(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(project, monkeypatch, "--rows", "good@torch", "--split", "val") == 0
    out = capsys.readouterr().out
    assert "[red] cell  1.0000 / 1.0000" in out
    assert "spare" in out
    border = out.index("At the picture's border, score 0.25: boxes / missed / false alarms")
    assert "[red] cell  0% of 1 / none / none" in out[border:]
    assert "bootstrap" not in out


def test_detections_are_joined_to_pictures_by_name(project: Path) -> None:
    found = measure(_request(project))
    assert list(found) == ["bad@onnxruntime", "good@torch"]
    assert coco_numbers(found["good@torch"]).ap == pytest.approx(1)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda p: (p / "reports/benchmark.json").unlink(), "benchmark.json is missing: run dvc repro benchmark"),
        (lambda p: (p / "reports/benchmark.json").write_text("{}", "utf-8"), "benchmark.json is damaged"),
        (lambda p: (p / "reports/raw/detections.parquet").unlink(), "detections.parquet is missing"),
        (lambda p: (p / "reports/raw/detections.parquet").write_bytes(b"PAR1"), "detections.parquet is damaged"),
        (lambda p: (p / "data/manifest.json").unlink(), "run the convert stage first"),
    ],
)
def test_what_is_missing_or_damaged_is_one_line(project: Path, broken: object, message: str) -> None:
    broken(project)  # type: ignore[operator]
    with pytest.raises(UserError, match=message):
        measure(_request(project))


def test_an_unknown_row_names_the_known(project: Path) -> None:
    with pytest.raises(UserError, match=r"no row x@y on split 'test' .*there is: .*good@torch"):
        measure(_request(project, rows=("x@y",)))


@pytest.mark.parametrize("detections", [_found(BOX), _found(BOX, label=2), _found(BOX, label=-1)])
def test_detections_of_another_dataset_are_refused(project: Path, detections: Detections) -> None:
    names = [f"p{index}" for index in range(6)] if detections.labels[0] else ["elsewhere"]
    write_detections(
        project / "reports/raw/detections.parquet", [("good", "torch", "test", name, detections) for name in names]
    )
    with pytest.raises(UserError, match="do not belong together"):
        measure(_request(project, rows=("good@torch",)))


def test_boxes_without_scores_are_refused(project: Path) -> None:
    torn = Detections(np.vstack([BOX, BOX]), np.array([0.9], np.float32), np.array([0], np.int64))
    write_detections(project / "reports/raw/detections.parquet", [("good", "torch", "test", "p0", torn)])
    with pytest.raises(UserError, match=r"damaged .picture 'p0' has boxes, scores and labels of different number"):
        measure(_request(project, rows=("good@torch",)))


def test_a_dataset_without_the_split_is_refused(project: Path) -> None:
    write_detections(project / "reports/raw/detections.parquet", [("good", "torch", "val", "v", _found(BOX))])
    record = Record(name="p", split="test", image=b"-", width=9, height=9, boxes=BOX, labels=np.array([0]))
    write_dataset(project / "data", "tiny", ("cell",), [record])
    with pytest.raises(UserError, match=r"split 'val' .* holds no picture"):
        measure(_request(project, rows=("good@torch",), split="val"))


@pytest.mark.parametrize(
    "wrong",
    [
        ["--resamples", "5"],
        ["--iou", "nan"],
        ["--iou", "0"],
        ["--seed", "-1"],
        ["--score", "nan"],
        ["--score", "1.1"],
        ["--score", "-0.1"],
        ["--tao-iou", "spare"],
        ["--tao-iou", "spare=0"],
        ["--tao-iou", "spare=nan"],
        ["--tao-iou", "=0.5"],
        ["--page", "report.txt"],
        ["--page", ""],
    ],
)
def test_impossible_options_are_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wrong: list[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        _run(project, monkeypatch, *wrong)
    assert stop.value.code == 2
    assert wrong[0] in capsys.readouterr().err.splitlines()[-1]


def _printed(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *given: str) -> str:
    assert _run(project, monkeypatch, "--resamples", "100", *given) == 0
    return capsys.readouterr().out


def test_each_row_tells_its_best_f1_confusion_and_worst_pictures(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"p{index}" for index in range(6)]
    double = Detections(np.vstack([BOX, BESIDE]), np.array([0.9, 0.4], np.float32), np.array([1, 0]))
    rows = [("x", "torch", "test", name, double if name == "p4" else _found(BOX)) for name in names]
    write_detections(project / "reports/raw/detections.parquet", rows)
    out = _printed(project, monkeypatch, capsys, "--rows", "x@torch", "--score", "0.5")
    best = out[out.index("Best F1 by class, IoU 0.5 / its score threshold / AP50; choose a threshold on val") :]
    assert "[red] cell  1.0000 / 0.400 / 1.0000" in best
    matrix = out[out.index("A: true classes (rows) found as (columns), at score 0.5, IoU 0.5") :].splitlines()
    assert [line.split() for line in matrix[1:5]] == [
        ["1", "2", "missed"],
        ["1", "[red]", "cell", "5", "1", "0"],
        ["2", "spare", "0", "0", "0"],
        ["false", "alarms", "0", "0"],
    ]
    assert "Worst pictures at score 0.5\nA 1. p4: F1 0.00, 1 missed, 1 false alarm\n\n" in out
    assert "1 box (6 pictures, 6 boxes)" in out
    assert "by group" not in out


def test_calibration_counts_what_is_shown_apart_from_all_that_is_kept(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    low = Detections(
        np.vstack([BOX, np.tile(BOX + np.float32(35), (9, 1))]),
        np.array([0.5] + [0.005] * 9, np.float32),
        np.zeros(10, np.int64),
    )
    rows = [("x", "torch", "test", f"p{index}", low) for index in range(6)]
    write_detections(project / "reports/raw/detections.parquet", rows)
    out = _printed(project, monkeypatch, capsys, "--rows", "x@torch")
    assert "calibration error (ECE), IoU 0.5, score 0.25 or more   0.5000" in out
    assert "calibration error (ECE), IoU 0.5, all detections kept  0.0545" in out  # (0.5 + 9 x 0.005) / 10


def test_tao_has_an_iou_of_its_own_for_a_class(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ("--rows", "bad@onnxruntime")  # at an IoU of 0.55, and one class of two has boxes
    plain = _printed(project, monkeypatch, capsys, *rows)
    own = _printed(project, monkeypatch, capsys, *rows, "--tao-iou", "[red] cell=0.7", "--tao-iou", "spare=0.3")
    assert "TAO sample, IoU 0.5                                    0.5000" in plain
    assert "TAO sample, IoU 0.5, [red] cell 0.7, spare 0.3         0.0000" in own


def test_an_unknown_class_of_tao_is_one_line(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(project, monkeypatch, "--tao-iou", "cow=0.7", "--page", str(project / "page.html")) == 1
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "evaluate: no class 'cow', there is: [red] cell, spare\n")
    assert not (project / "page.html").exists()


def test_a_page_is_drawn_of_what_was_printed(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = project / "out" / "page.html"
    out = _printed(project, monkeypatch, capsys, "--page", str(page))
    assert out.endswith(f"page: {page}\n")
    html = page.read_text("utf-8")
    assert "tiny: evaluation on test" in html
    assert "mAP50-95 +90.00 (+90.00 to +90.00): B is better" in html
    assert "No picture has an error." in html


def test_one_picture_gives_tables_without_an_interval(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [(name, "torch", "val", "v", _found(BOX)) for name in ("one", "other")]
    write_detections(project / "reports/raw/detections.parquet", rows)
    given = ("--split", "val", "--rows", "one@torch", "other@torch", "--page", str(project / "page.html"))
    out = _printed(project, monkeypatch, capsys, *given)
    assert "\nB - A: an interval " in out
    assert (project / "page.html").is_file()


def test_long_names_are_printed_whole(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "video_2024_" * 20 + "frame_0001"
    record = Record(
        name=name, split="test", image=b"-", width=100, height=80, boxes=BOX, labels=np.array([0]), group="g"
    )
    write_dataset(project / "data", "tiny", ("cell",), [record])
    write_detections(project / "reports/raw/detections.parquet", [("x", "torch", "test", name, _found(BOX + 30))])
    out = _printed(project, monkeypatch, capsys, "--rows", "x@torch")
    assert f"A 1. {name}: F1 0.00, 1 missed, 1 false alarm\n" in out


def test_the_worst_twenty_groups_are_shown_and_the_rest_counted(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [
        Record(
            name=f"p{index:02}", split="test", image=b"-", width=100, height=80, boxes=BOX, labels=np.array([0]),
            group=f"g{index // 2:02}",
        )
        for index in range(44)
    ]  # fmt: skip
    write_dataset(project / "data", "tiny", ("cell",), records)
    rows = [("x", "torch", "test", r.name, _found(BESIDE if r.group == "g07" else BOX)) for r in records]
    write_detections(project / "reports/raw/detections.parquet", rows)
    out = _printed(project, monkeypatch, capsys, "--rows", "x@torch")
    table = out[out.index("by group, the worst of A first, 2 more are not shown") :].splitlines()
    assert table[2] == "g07 (2 pictures, 2 boxes)  0.1000 / 1.0000"
    assert len(table[2 : table.index("")]) == 20
