"""Augmented boxes stay on what they label; labels stay with their boxes."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from netwright.data.feeding.augment import Labelled, augment
from netwright.data.feeding.chances import COLUMNS, draw_chances
from netwright.types import AugmentPolicy

STILL = AugmentPolicy(flip=0, scale=(1.0, 1.0), translate=0, brightness=0, contrast=0, saturation=0, mosaic=0)


def _augmented(scene: tuple[Tensor, ...], policy: AugmentPolicy, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    pixels, boxes, valid, labels = scene
    chances = draw_chances(len(pixels), policy, torch.Generator().manual_seed(seed))
    out = augment(Labelled(pixels, boxes, labels, valid), policy, chances)
    return out.pixels, out.boxes, out.valid, out.labels


def _scene() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Four dark pictures (96 x 128), in each a bright red block with a known box."""
    pixels = torch.full((4, 3, 96, 128), 40, dtype=torch.uint8)
    boxes = torch.zeros(4, 2, 4)
    for index in range(4):
        x, y = 20 + 12 * index, 30 + 4 * index
        pixels[index, 0, y : y + 24, x : x + 30] = 250
        boxes[index, 0] = torch.tensor([x, y, x + 30, y + 24])
    valid = torch.tensor([[True, False]] * 4)
    return pixels, boxes, valid, torch.tensor([[index, 0] for index in range(4)])


def _red_box(picture: Tensor) -> list[float]:
    rows, columns = torch.nonzero(picture[0] - picture[1] > 105, as_tuple=True)
    return [columns.min().item(), rows.min().item(), columns.max().item() + 1, rows.max().item() + 1]


def test_a_policy_without_change_changes_nothing() -> None:
    pixels, boxes, valid, labels = _scene()
    out = _augmented((pixels, boxes, valid, labels), STILL, 0)
    torch.testing.assert_close(out[0], pixels.float(), atol=1e-3, rtol=0)
    torch.testing.assert_close(out[1], boxes)
    assert torch.equal(out[2], valid)


@pytest.mark.parametrize("seed", range(5))
def test_boxes_follow_their_pixels(seed: int) -> None:
    pixels, boxes, valid, labels = _scene()
    policy = replace(STILL, flip=0.5, flip_vertical=0.5, turn=0.5, scale=(0.7, 0.9), translate=0.05)
    out, moved, kept, _ = _augmented((pixels, boxes, valid, labels), policy, seed)
    for index in range(4):
        assert kept[index].tolist() == [True, False]
        torch.testing.assert_close(
            torch.tensor(_red_box(out[index]), dtype=torch.float32), moved[index, 0], atol=1.1, rtol=0
        )


def test_mosaic_gathers_boxes_of_four_pictures_with_their_labels() -> None:
    pixels, boxes, valid, labels = _scene()
    policy = AugmentPolicy(flip=0, scale=(0.7, 0.7), translate=0, brightness=0, contrast=0, saturation=0, mosaic=1.0)
    out, moved, kept, names = _augmented((pixels, boxes, valid, labels), policy, 0)
    assert out.shape == pixels.shape
    assert kept.long().diff(dim=1).amax() <= 0  # valid ones first
    for index in range(4):
        for box in moved[index][kept[index]]:
            x1, y1, x2, y2 = (box + torch.tensor([2, 2, -2, -2])).round().int().tolist()
            assert (out[index, 0, y1:y2, x1:x2] > 150).all()
    assert set(names[kept].tolist()) == {0, 1, 2, 3}


def test_every_object_that_a_mosaic_shows_keeps_its_label() -> None:
    """At 0.7 of 0.7 the four pictures, with one object each, are seen whole."""
    pixels, boxes, valid, labels = _scene()
    scene = (pixels, boxes[:, :1], valid[:, :1], labels[:, :1])
    _, moved, kept, _ = _augmented(scene, replace(STILL, scale=(0.7, 0.7), mosaic=1.0), 0)
    assert kept.sum(1).tolist() == [4, 4, 4, 4]
    assert moved.shape == (4, 4, 4)


def test_a_mosaic_of_more_objects_than_there_is_room_for_stays_one_picture_with_all_its_labels() -> None:
    """Room for 60: each with the three behind it, the first would show 10 + 3 * 17 boxes, the second 3 * 17 + 1."""
    pixels = torch.full((5, 3, 96, 128), 40, dtype=torch.uint8)
    x = torch.arange(30) * 3.5
    boxes = torch.stack((x, x * 0 + 40, x + 16, x * 0 + 60), -1).repeat(5, 1, 1)
    valid = torch.arange(30) < torch.tensor([[10], [17], [17], [17], [1]])
    policy = replace(STILL, scale=(0.7, 0.7), mosaic=1.0)
    chances = draw_chances(5, policy, torch.Generator().manual_seed(0))
    chances.table[:, COLUMNS.index("second") :] = 0.0
    shown = augment(Labelled(pixels, boxes, torch.zeros(5, 30, dtype=torch.long), valid), policy, chances)
    assert shown.valid.shape == (5, 60)
    assert shown.valid.sum(1).tolist() == [10, 52, 45, 45, 45]
    alone, together = shown.boxes[0, 0], shown.boxes[1, 0]
    assert (alone[2] - alone[0]).item() == pytest.approx(16 * 0.7)
    assert (together[2] - together[0]).item() == pytest.approx(16 * 0.49)


def test_a_box_pushed_out_of_the_picture_is_dropped() -> None:
    pixels, boxes, valid, labels = _scene()
    boxes[0, 0] = torch.tensor([0.0, 30.0, 10.0, 40.0])
    policy = AugmentPolicy(flip=0, scale=(2.0, 2.0), translate=0, brightness=0, contrast=0, saturation=0, mosaic=0)
    _, _, kept, _ = _augmented((pixels, boxes, valid, labels), policy, 0)
    assert not kept[0, 0]


@pytest.mark.parametrize(("visible", "stays"), [(0.35, True), (0.6, False)])
def test_a_box_cut_by_the_border_keeps_its_label_where_enough_of_it_stays(visible: float, stays: bool) -> None:
    """Zoomed twice about the middle (64, 48), the right border cuts at x = 96: half of 86..106 stays."""
    pixels, boxes, valid, labels = _scene()
    boxes[0, 0] = torch.tensor([86.0, 40, 106, 60])
    _, moved, kept, _ = _augmented((pixels, boxes, valid, labels), replace(STILL, scale=(2.0, 2.0), visible=visible), 0)
    assert kept[0, 0].item() is stays
    assert moved[0, 0].tolist() == [108, 32, 128, 72]


def test_a_box_that_nothing_cuts_is_whole_whatever_float32_makes_of_its_border() -> None:
    pixels, boxes, valid, labels = _scene()
    boxes[0, 0] = torch.tensor([64.0, 48, 128.00003, 96.00003])
    _, _, kept, _ = _augmented((pixels, boxes, valid, labels), replace(STILL, visible=1.0), 0)
    assert kept[0, 0]


def test_colours_stay_within_pixel_values() -> None:
    pixels, boxes, valid, labels = _scene()
    policy = AugmentPolicy(brightness=0.9, contrast=0.9, saturation=0.9)
    out, *_ = _augmented((pixels, boxes, valid, labels), policy, 0)
    assert out.min() >= 0
    assert out.max() <= 255


@pytest.mark.parametrize("seed", range(3))
def test_a_picture_without_mosaic_stays_alone_beside_those_with_one(seed: int) -> None:
    scene = _scene()
    policy = replace(STILL, mosaic=0.5)
    chosen = draw_chances(4, policy, torch.Generator().manual_seed(seed)).column("mosaic") > 0
    out, moved, kept, _ = _augmented(scene, policy, seed)
    for index in torch.nonzero(~chosen).flatten().tolist():
        torch.testing.assert_close(out[index], scene[0][index].float(), atol=1e-2, rtol=0)
        torch.testing.assert_close(moved[index][kept[index]], scene[1][index][scene[2][index]])


def test_a_quarter_turn_is_no_mirror() -> None:
    pixels = torch.zeros(1, 3, 64, 64)
    pixels[0, :, 8:16, 40:56] = 255.0  # upper right, wide: turned clockwise it lies at the lower right, tall
    boxes, valid = torch.tensor([[[40.0, 8, 56, 16]]]), torch.tensor([[True]])
    out, moved, _, _ = _augmented(
        (pixels, boxes, valid, torch.zeros(1, 1, dtype=torch.long)), replace(STILL, turn=1), 0
    )
    assert moved[0, 0].tolist() == [48, 40, 56, 56]
    assert (out[0, :, 41:55, 49:55] > 250).all()


def test_colours_are_scaled_one_after_the_other() -> None:
    """Brightness, then contrast about the picture's mean, then saturation about each pixel's grey, in float64."""
    pixels, boxes, valid, labels = _scene()
    policy = replace(STILL, brightness=0.3, contrast=0.4, saturation=0.5)
    chances = draw_chances(4, policy, torch.Generator().manual_seed(3))
    out = augment(Labelled(pixels, boxes, labels, valid), policy, chances).pixels
    for picture, changed, row in zip(pixels.double(), out, range(4), strict=True):
        bright, contrast, saturation = (
            chances.column(name)[row].double() for name in ("brightness", "contrast", "saturation")
        )
        seen = picture * bright
        seen = seen.mean() + (seen - seen.mean()) * contrast
        grey = seen.mean(0)
        wanted = (grey + (seen - grey) * saturation).clamp(0, 255)
        torch.testing.assert_close(changed.double(), wanted, atol=1e-3, rtol=0)
