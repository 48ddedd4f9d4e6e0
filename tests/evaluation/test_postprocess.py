"""The one NMS: suppression per class, thresholds, limits, boxes in picture pixels."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from netwright.data.feeding.preprocess import fit_geometry
from netwright.evaluation.detections import Detections, read_detections, write_detections
from netwright.evaluation.postprocess import postprocess
from netwright.types import InputSpec, NmsPolicy

GEOMETRY = fit_geometry(128, 128, InputSpec(height=64, width=64))
BOXES = torch.tensor([[10.0, 10, 30, 30], [11, 11, 31, 31], [40, 40, 60, 60]])


def test_the_weaker_of_two_overlapping_boxes_of_a_class_goes() -> None:
    scores = torch.tensor([[0.9, 0.0], [0.8, 0.0], [0.7, 0.0]])
    found = postprocess(BOXES, scores, GEOMETRY, NmsPolicy(score_threshold=0.1, iou_threshold=0.5))
    assert found.scores.tolist() == [np.float32(0.9), np.float32(0.7)]
    assert found.boxes.tolist() == [[20, 20, 60, 60], [80, 80, 120, 120]]


def test_overlapping_boxes_of_two_classes_both_stay() -> None:
    scores = torch.tensor([[0.9, 0.0], [0.0, 0.8], [0.0, 0.0]])
    found = postprocess(BOXES, scores, GEOMETRY, NmsPolicy(score_threshold=0.1, iou_threshold=0.5))
    assert found.labels.tolist() == [0, 1]


def test_a_box_may_be_found_in_several_classes() -> None:
    found = postprocess(BOXES[:1], torch.tensor([[0.6, 0.4]]), GEOMETRY, NmsPolicy(score_threshold=0.1))
    assert found.labels.tolist() == [0, 1]


def test_classes_never_meet_whatever_the_coordinates() -> None:
    policy = NmsPolicy(score_threshold=0.1, iou_threshold=0.5, max_detections=3)
    boxes = torch.tensor([[14.0, 14, 64, 64], [-50, -50, 0, 0], [5, 5, 5, 5]])  # a shift by 65 lays one on the other
    scores = torch.tensor([[0.9, 0.0], [0.0, 0.8], [0.0, 0.0]])
    assert postprocess(boxes, scores, GEOMETRY, policy).labels.tolist() == [0, 1]


def test_a_far_box_changes_nothing_for_the_last_of_many_classes() -> None:
    """Ten pixels wide, three apart: IoU 7 / 13 in any class; shifts by a thousand such canvases would round it."""
    boxes = torch.tensor([[10.0, 10, 20, 20], [13, 10, 23, 20], [-12000, -12000, 12900, 12900]])
    scores = torch.zeros(3, 1203)
    scores[0, 1202], scores[1, 1202], scores[2, 0] = 0.9, 0.8, 0.7
    for threshold, kept in ((0.53, 2), (0.55, 3)):
        found = postprocess(boxes, scores, GEOMETRY, NmsPolicy(score_threshold=0.1, iou_threshold=threshold))
        assert len(found.scores) == kept


@pytest.mark.parametrize("corner", [float("nan"), float("inf"), float("-inf")])
def test_a_box_that_is_none_ends_the_suppression_of_no_other(corner: float) -> None:
    boxes = torch.cat((BOXES, torch.tensor([[5.0, 5, corner, 9]])))
    scores = torch.tensor([[0.9, 0.0], [0.8, 0.0], [0.7, 0.0], [0.6, 0.6]])
    found = postprocess(boxes, scores, GEOMETRY, NmsPolicy(score_threshold=0.1, iou_threshold=0.5))
    assert found.scores.tolist() == [np.float32(score) for score in (0.9, 0.7, 0.6, 0.6)]
    assert found.boxes[:2].tolist() == [[20, 20, 60, 60], [80, 80, 120, 120]]


def test_scores_at_or_below_the_threshold_are_left_out() -> None:
    found = postprocess(BOXES, torch.tensor([[0.5], [0.2], [0.6]]), GEOMETRY, NmsPolicy(score_threshold=0.5))
    assert len(found.scores) == 1


def test_only_the_best_are_kept_when_there_are_too_many() -> None:
    boxes = torch.arange(20.0)[:, None] * 3 + torch.tensor([0.0, 0, 2, 2])
    found = postprocess(boxes, torch.linspace(0.1, 0.9, 20)[:, None], GEOMETRY, NmsPolicy(max_detections=5))
    assert len(found.scores) == 5
    assert found.scores.min() > 0.7


def test_detections_survive_the_file(tmp_path: Path) -> None:
    found = Detections(np.array([[1, 2, 3, 4.5]], np.float32), np.array([0.25], np.float32), np.array([3], np.int64))
    nothing = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
    rows = [("trained_fp32", "torch", "val", "a", found), ("trained_fp32", "torch", "val", "b", nothing)]
    write_detections(tmp_path / "detections.parquet", rows)
    back = read_detections(tmp_path / "detections.parquet")
    assert [row[:4] for row in back] == [row[:4] for row in rows]
    assert np.array_equal(back[0][4].boxes, found.boxes)
    assert back[0][4].scores.tolist() == [0.25]
    assert back[1][4].boxes.shape == (0, 4)


def test_detections_of_one_split_alone_are_read(tmp_path: Path) -> None:
    boxes = np.arange(24, dtype=np.float32).reshape(6, 4)
    rows = [
        (
            "export",
            "torch",
            split,
            name,
            Detections(boxes[at : at + 2], np.array([0.5, at], np.float32), np.array([at, 1])),
        )
        for at, (split, name) in enumerate([("val", "a"), ("test", "b"), ("val", "c"), ("test", "d")])
    ]
    write_detections(tmp_path / "detections.parquet", rows)
    back = read_detections(tmp_path / "detections.parquet", "test")
    assert [row[3] for row in back] == ["b", "d"]
    for own, given in zip(back, (rows[1], rows[3]), strict=True):
        assert own[4].boxes.tolist() == given[4].boxes.tolist()
        assert own[4].scores.tolist() == given[4].scores.tolist()
        assert own[4].labels.tolist() == given[4].labels.tolist()


@pytest.mark.parametrize("column", [[None], [0.5]], ids=["missing", "no list"])
def test_a_damaged_column_of_detections_is_refused(tmp_path: Path, column: list[object]) -> None:
    nothing = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
    file = tmp_path / "detections.parquet"
    write_detections(file, [("export", "torch", "val", "a", nothing)])
    table = pq.read_table(file)
    kind = pa.list_(pa.float32()) if column == [None] else pa.float32()
    place = table.column_names.index("scores")
    pq.write_table(table.set_column(place, "scores", pa.array(column, kind)), file)
    with pytest.raises(TypeError, match="detections"):
        read_detections(file)
