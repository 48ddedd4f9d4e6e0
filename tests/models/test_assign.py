"""Task-aligned assignment against hand-made cases and the definition written out as loops."""

import numpy as np
import torch

from netwright.models.assign import IOU_POWER, SCORE_POWER, TOP, Truth, assign, hold_points
from netwright.models.geometry import anchor_points, boxes_from_distances


def _case(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, Truth]:
    generator = torch.Generator().manual_seed(seed)
    points, strides = anchor_points(64, 64, (8, 16))
    distances = torch.rand(2, len(points), 4, generator=generator) * 3 + 0.3
    boxes = boxes_from_distances(distances, points, strides)
    scores = torch.rand(2, len(points), 3, generator=generator)
    truth = Truth(
        torch.tensor([[[4.0, 4, 40, 44], [20, 10, 60, 50], [0, 0, 0, 0]], [[8.0, 8, 24, 24]] + [[0.0] * 4] * 2]),
        torch.tensor([[0, 2, 0], [1, 0, 0]]),
        torch.tensor([[True, True, False], [True, False, False]]),
    )
    return scores, boxes, points, truth


def _iou(one: np.ndarray, other: np.ndarray) -> float:
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    shared = float(np.prod(np.clip(high - low, 0, None)))
    return shared / (float(np.prod(one[2:] - one[:2])) + float(np.prod(other[2:] - other[:2])) - shared)


def test_boxes_that_hold_no_cell_centre_are_told_from_those_that_do() -> None:
    corners = torch.rand(400, 2, generator=torch.Generator().manual_seed(1)) * 50
    boxes = torch.cat((corners, corners + torch.rand(400, 2, generator=torch.Generator().manual_seed(2)) * 14), -1)
    points, _ = anchor_points(64, 64, (8, 16))
    inside = (points[None] > boxes[:, None, :2]).all(-1) & (points[None] < boxes[:, None, 2:]).all(-1)
    found = hold_points(boxes, (8, 16))
    assert torch.equal(found, inside.any(1))
    assert 0 < int(found.sum()) < 400


def test_assignment_equals_its_definition() -> None:
    scores, boxes, points, truth = _case(0)
    ours = assign(scores, boxes, points, truth)
    for picture in range(2):
        wanted: dict[int, tuple[float, int]] = {}
        alignments: dict[int, dict[int, tuple[float, float]]] = {}
        for number in np.flatnonzero(truth.valid[picture].numpy()):
            own, label = truth.boxes[picture, number].numpy().astype(float), int(truth.labels[picture, number])
            cells = []
            for cell, (x, y) in enumerate(points.tolist()):
                if own[0] < x < own[2] and own[1] < y < own[3]:
                    iou = _iou(own, boxes[picture, cell].numpy().astype(float))
                    cells.append((float(scores[picture, cell, label]) ** SCORE_POWER * iou**IOU_POWER, iou, cell))
            best = sorted(cells, reverse=True)[:TOP]
            alignments[number] = {cell: (score, iou) for score, iou, cell in best}
            for _, iou, cell in best:
                if cell not in wanted or iou > wanted[cell][0]:
                    wanted[cell] = (iou, number)
        assert set(np.flatnonzero(ours.positive[picture].numpy())) == set(wanted)
        for cell, (_, number) in wanted.items():
            top_score = max(score for score, _ in alignments[number].values())
            top_iou = max(iou for _, iou in alignments[number].values())
            strength = alignments[number][cell][0] / (top_score + 1e-9) * top_iou
            assert ours.labels[picture, cell] == truth.labels[picture, number]
            assert torch.equal(ours.boxes[picture, cell], truth.boxes[picture, number])
            np.testing.assert_allclose(float(ours.strength[picture, cell]), strength, rtol=1e-4, atol=1e-7)


def test_a_batch_without_any_box_assigns_nothing() -> None:
    scores, boxes, points, _ = _case(1)
    empty = Truth(torch.zeros(2, 1, 4), torch.zeros(2, 1, dtype=torch.int64), torch.zeros(2, 1, dtype=torch.bool))
    ours = assign(scores, boxes, points, empty)
    assert not ours.positive.any()
    assert ours.strength.sum() == 0


def test_a_prediction_of_no_area_meets_padding_and_stays_a_number() -> None:
    nowhere = torch.zeros(1, 4, 4) + 8.0
    empty = Truth(torch.zeros(1, 1, 4), torch.zeros(1, 1, dtype=torch.int64), torch.zeros(1, 1, dtype=torch.bool))
    found = assign(torch.full((1, 4, 2), 0.5), nowhere, torch.full((4, 2), 8.0), empty)
    assert found.strength.tolist() == [[0.0] * 4]


def test_padding_takes_no_cell() -> None:
    scores, boxes, points, truth = _case(2)
    ours = assign(scores, boxes, points, truth)
    inside = (points[:, 0] > 8) & (points[:, 0] < 24) & (points[:, 1] > 8) & (points[:, 1] < 24)
    assert not ours.positive[1, ~inside].any()
