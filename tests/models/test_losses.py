"""The training loss against torchvision and its definition written out."""

import pytest
import torch
from torchvision.ops import complete_box_iou_loss

from netwright.models.assign import Truth, assign
from netwright.models.detector import RawPredictions
from netwright.models.losses import complete_iou_loss, detection_loss
from tests.training.blocks import small_network


def _truth() -> Truth:
    boxes = torch.tensor([[[4.0, 4, 40, 44], [20, 10, 60, 50]], [[8.0, 8, 24, 24], [0, 0, 0, 0]]])
    return Truth(boxes, torch.tensor([[0, 1], [1, 0]]), torch.tensor([[True, True], [True, False]]))


def test_complete_iou_loss_equals_torchvision() -> None:
    torch.manual_seed(0)
    low, size = torch.rand(2, 200, 2) * 50, torch.rand(2, 200, 2) * 60 + 1
    ours, wanted = torch.cat((low, low + size), -1).double()
    ours.requires_grad_(True)
    expected = complete_box_iou_loss(ours, wanted)
    torch.testing.assert_close(complete_iou_loss(ours, wanted), expected, atol=1e-6, rtol=0)
    gradients = [
        torch.autograd.grad(f(ours, wanted).sum(), ours)[0] for f in (complete_iou_loss, complete_box_iou_loss)
    ]
    torch.testing.assert_close(*gradients, atol=1e-6, rtol=0)


def test_a_power_is_that_of_each_part() -> None:
    ours, wanted = torch.tensor([[0.0, 0, 4, 2]]), torch.tensor([[1.0, 0, 5, 2]])
    iou, distance = 6 / 10, 1 / 29  # of one shape; the hull is 5 x 2
    found = complete_iou_loss(ours, wanted, 3.0)
    torch.testing.assert_close(found, torch.tensor([1 - iou**3 + distance**3]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("power", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("wanted", [[0.0, 0, 4, 2], [9.0, 9, 11, 12], [4.0, 2, 8, 4]], ids=["same", "far", "touching"])
def test_gradients_are_numbers_wherever_the_boxes_lie(power: float, wanted: list[float]) -> None:
    ours = torch.tensor([[0.0, 0, 4, 2]], requires_grad=True)
    (gradient,) = torch.autograd.grad(complete_iou_loss(ours, torch.tensor([wanted]), power).sum(), ours)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("power", [1.0, 3.0])
@pytest.mark.parametrize("ours", [[2.0, 1, 2, 1], [0.0, 1, 4, 1], [2.0, 0, 2, 2]], ids=["point", "flat", "upright"])
def test_a_predicted_side_of_0_has_a_loss_and_a_gradient(power: float, ours: list[float]) -> None:
    found = torch.tensor([ours], requires_grad=True)
    loss = complete_iou_loss(found, torch.tensor([[0.0, 0, 4, 2]]), power)
    assert torch.isfinite(loss).all()
    assert torch.isfinite(torch.autograd.grad(loss.sum(), found)[0]).all()


def test_the_loss_equals_the_sum_over_cells_with_an_object() -> None:
    network, truth = small_network().double(), _truth()
    truth = Truth(truth.boxes.double(), truth.labels, truth.valid)
    raw = network.predict_raw(torch.rand(2, 3, 64, 64, dtype=torch.float64) * 255)
    raw = RawPredictions(raw.logits.double(), raw.objectness.double(), raw.distances.double())
    boxes, scores = network.decode(raw)
    target = assign(scores, boxes, network.points, truth)
    positive, strength = target.positive, target.strength
    assert 0 < int(positive.sum()) < positive.numel()
    fit = (complete_box_iou_loss(boxes[positive], target.boxes[positive]) * strength[positive]).sum()
    wrong = -torch.log_softmax(raw.logits[positive], -1).gather(1, target.labels[positive, None]).squeeze(1)
    chance = torch.sigmoid(raw.objectness.squeeze(-1))
    everywhere = -(strength * chance.log() + (1 - strength) * (1 - chance).log()).sum()
    expected = (everywhere + (wrong * strength[positive]).sum() + 3.0 * fit) / max(float(strength.sum()), 1.0)
    torch.testing.assert_close(
        detection_loss(network, raw, truth, box_weight=3.0).total, expected, atol=1e-5, rtol=1e-6
    )
