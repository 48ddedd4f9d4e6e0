"""What the benchmark scripts say of results: read from either format, compared, and timed to an accuracy."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.changed_params import changed_settings, parsed_changes, read_params
from benchmarks.recipe_compare import border_lines, evaluated, files_of
from benchmarks.side_by_side import run_jobs
from benchmarks.time_to_accuracy import report, seconds_to
from netwright.errors import UserError
from netwright.evaluation.detections import Detections, write_detections
from netwright.evaluation.truth import Truth

ROOT = Path(__file__).resolve().parents[2]
BOX = np.array([[10, 20, 50, 60]], dtype=np.float32)
NONE = np.zeros(1, dtype=np.bool_)
TRUTH = Truth(
    names=("a", "b"),
    sizes=((100, 100), (100, 100)),
    boxes=(BOX, BOX),
    labels=(np.array([0]), np.array([1])),
    difficult=(NONE, NONE),
    crowd=(NONE, NONE),
    groups=("", ""),
    classes=("red", "green"),
)


@pytest.mark.parametrize("image", [{"image_id": 2}, {"image_id": "b"}, {"image_id": 7, "file_name": "b.jpg"}])
def test_coco_results_and_parquet_of_the_same_detections_score_alike(tmp_path: Path, image: dict[str, object]) -> None:
    found = Detections(BOX + 2, np.array([0.75], np.float32), np.array([1]))
    write_detections(tmp_path / "a.parquet", [("x", "torch", "val", "b", found)])
    row = {**image, "category_id": 2, "bbox": [12.0, 22.0, 40.0, 40.0], "score": 0.75}
    (tmp_path / "a.json").write_text(json.dumps([row]))
    ours, theirs = (evaluated(tmp_path / name, TRUTH, "val", 1) for name in ("a.parquet", "a.json"))
    assert list(ours.coco.stats) == list(theirs.coco.stats)
    assert 0 < ours.coco.stats[0] < 0.5  # one of two boxes, not quite in place


def test_errors_at_the_border_are_means_over_runs(tmp_path: Path) -> None:
    cut, inside = np.array([[0, 20, 8, 60]], np.float32), np.array([[70, 20, 90, 60]], np.float32)
    for number, boxes in enumerate((np.concatenate((BOX, cut, inside)), np.concatenate((BOX, cut)))):
        found = Detections(boxes, np.full(len(boxes), 0.75, np.float32), np.zeros(len(boxes), np.int64))
        write_detections(tmp_path / f"{number}.parquet", [("x", "torch", "val", "a", found)])
    runs = [evaluated(tmp_path / f"{number}.parquet", TRUTH, "val", 1) for number in range(2)]
    assert list(border_lines(runs, "ours")) == [
        "ours, at the border:",
        "  red: 0% of boxes, 67% of 2 false alarms",  # two of the three in both runs
        "  green: 0% of boxes, 0% of 0 false alarms",
    ]


def test_categories_that_start_at_another_number_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"image_id": "a", "category_id": 0, "bbox": [1, 1, 2, 2], "score": 1.0}]')
    with pytest.raises(UserError, match="--first-category"):
        evaluated(tmp_path / "a.json", TRUTH, "val", 1)


def test_seconds_to_an_accuracy_and_their_ratio() -> None:
    fast, slow = [(1.0, 0.5), (2.0, 0.8)], [(1.0, 0.1), (4.0, 0.48), (8.0, 0.5)]
    assert seconds_to(slow, 0.48) == 4.0
    assert seconds_to(slow, 0.6) is None
    lines = report({"pretrained": [fast], "random": [slow]}, 0.95)
    assert [line.split()[-1] for line in lines if "ratio" in line] == ["4.00", "2.00"]


def test_changes_reach_the_settings_and_unknown_keys_are_named() -> None:
    params = read_params(ROOT)
    changes = parsed_changes(["train.epochs=3", "train.augment.scale=[0.5, 2.0]"])
    assert changed_settings(params, changes).train.augment.scale == (0.5, 2.0)
    assert params["train"]["epochs"] != 3
    with pytest.raises(UserError, match=r"train\.epoch.*did you mean epochs"):
        changed_settings(params, {"train.epoch": 3})


def test_jobs_end_at_the_first_failures_and_at_the_limit(tmp_path: Path) -> None:
    def fail() -> None:
        raise UserError("no such thing")

    def stay() -> None:
        os.read(os.pipe()[0], 1)

    found = run_jobs(
        [("good", lambda: None), ("bad", fail), ("late", stay)], workers=1, limit_s=9, failures=1, logs=tmp_path
    )
    assert (found.done, found.failed, found.left) == (["good"], ["bad"], ["late"])
    assert "no such thing" in (tmp_path / "bad.log").read_text()
    found = run_jobs([("stays", stay)], workers=1, limit_s=0.3, failures=1, logs=tmp_path)
    assert found.left == ["stays"]


def _parquet(path: Path, *rows: tuple[str, str, str, str]) -> Path:
    found = Detections(BOX, np.array([0.75], np.float32), np.array([0]))
    write_detections(path, [(*row, found) for row in rows])
    return path


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("fp32", "torch", "val", "a"), ("fp32", "openvino", "val", "a")], "2 models, fp32/torch, fp32/openvino"),
        ([("fp32", "torch", "val", "a"), ("int8", "torch", "val", "b")], "2 models, fp32/torch, int8/torch"),
        ([("fp32", "torch", "test", "a")], "says nothing of val"),
        ([("fp32", "torch", "val", "a"), ("fp32", "torch", "val", "a")], "a picture of val twice"),
    ],
)
def test_a_parquet_that_is_not_of_one_model_and_the_split_is_refused(
    tmp_path: Path, rows: list[tuple[str, str, str, str]], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        evaluated(_parquet(tmp_path / "a.parquet", *rows), TRUTH, "val", 1)


@pytest.mark.parametrize("content", [b"", b"PAR1 and then nothing"])
def test_a_damaged_parquet_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.parquet is no Parquet of detections"):
        evaluated(tmp_path / "a.parquet", TRUTH, "val", 1)


def test_a_recipe_whose_detections_were_left_behind_is_named(tmp_path: Path) -> None:
    lines = [{"recipe": "plain", "seed": seed} for seed in (1, 2)]
    (tmp_path / "detections").mkdir()
    kept = _parquet(tmp_path / "detections/plain-1.parquet", ("plain-1", "torch", "val", "a"))
    assert files_of("plain", tmp_path, lines[:1], "val") == [kept]
    with pytest.raises(UserError, match=r"detections of plain are missing: bring .*plain-2\.parquet"):
        files_of("plain", tmp_path, lines, "val")
    with pytest.raises(UserError, match="recipes there: plain"):
        files_of("other", tmp_path, lines, "val")
