import io
import itertools

import numpy as np
import pytest
from PIL import Image

from netwright.data.embedded.difficulty import STANDARD
from netwright.data.embedded.glyphs import load_glyphs
from netwright.data.embedded.ink import LUMA, VISIBLE, glyph_ink, ink_colour
from netwright.data.embedded.scenes import draw_scene, encode_scene
from netwright.types import SPLITS


@pytest.fixture(scope="module")
def glyphs():
    return load_glyphs(7)


@pytest.fixture(scope="module")
def scenes(glyphs):
    """Thirty scenes of each split."""
    return {split: [draw_scene(glyphs, seed=7, split=split, index=index) for index in range(30)] for split in SPLITS}


def _digits(scenes):
    return [digit for scene in itertools.chain(*scenes.values()) for digit in scene.digits]


def _iou(first, second):
    width = max(0, min(first[2], second[2]) - max(first[0], second[0]))
    height = max(0, min(first[3], second[3]) - max(first[1], second[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return width * height / (sum(areas) - width * height)


def test_no_glyph_is_drawn_in_two_splits(scenes):
    drawn = {split: {digit.glyph for scene in group for digit in scene.digits} for split, group in scenes.items()}
    assert all(len(used) > 50 for used in drawn.values())
    for first, second in itertools.combinations(SPLITS, 2):
        assert not drawn[first] & drawn[second]


def test_labels_are_those_of_the_glyphs(scenes, glyphs):
    assert all(digit.label == glyphs.labels[digit.glyph] for digit in _digits(scenes))


def test_scenes_hold_three_to_twelve_digits_or_none(scenes):
    counts = [len(scene.digits) for scene in itertools.chain(*scenes.values())]
    assert set(counts) <= {0, *range(3, 13)}
    assert 0 in counts
    assert max(counts) >= 11


def test_digits_are_16_to_96_pixels_and_inside_the_picture(scenes):
    boxes = np.array([digit.box for digit in _digits(scenes)])
    sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    assert sides.min() >= 16
    assert sides.max() <= 96
    assert boxes.min() >= 0
    assert boxes.max() <= 320


def test_contrast_is_at_least_a_fifth_and_some_digits_come_near_it(scenes):
    contrasts = [digit.contrast for digit in _digits(scenes)]
    assert 0.2 <= min(contrasts) < 0.25


def test_boxes_overlap_by_an_iou_of_at_most_0_3_and_some_do(scenes):
    groups = [[digit.box for digit in scene.digits] for scene in itertools.chain(*scenes.values())]
    overlaps = [_iou(*pair) for boxes in groups for pair in itertools.combinations(boxes, 2)]
    assert 0.2 < max(overlaps) <= 0.3


def test_about_one_scene_in_twenty_is_empty(glyphs):
    small = {"split": "val", "seed": 3, "rule": STANDARD}
    empty = sum(not draw_scene(glyphs, index=index, **small).digits for index in range(200))
    assert 3 <= empty <= 20


def test_pixels_of_the_box_hold_the_ink(glyphs):
    """Of one scene drawn with and without digits, only pixels within the boxes differ, up to the blur's reach."""
    quiet = {"noise": (0.0, 0.0), "blur": (0.0, 0.0), "empty": 0.0}
    full = _drawn(glyphs, digits=(3, 3), **quiet)
    ground = _drawn(glyphs, digits=(0, 0), **quiet)
    changed = np.abs(full.pixels.astype(int) - ground.pixels).max(axis=2) > 20
    for digit in full.digits:
        left, top, right, bottom = digit.box
        inside = changed[top:bottom, left:right]
        assert inside.any(axis=0).mean() > 0.9
        assert inside.any(axis=1).mean() > 0.9
        changed[top:bottom, left:right] = False
    assert not changed.any()


def _drawn(glyphs, **changes):
    from dataclasses import replace

    return draw_scene(glyphs, seed=1, split="train", index=4, rule=replace(STANDARD, **changes))


@pytest.mark.parametrize("side", [16, 40, 96])
def test_ink_touches_all_four_edges_of_its_box(glyphs, side):
    rng = np.random.Generator(np.random.PCG64(0))
    for index in range(0, 200, 10):
        ink = glyph_ink(glyphs.images[index], side, rng, STANDARD)
        assert max(ink.shape) == side
        for edge in (ink[0], ink[-1], ink[:, 0], ink[:, -1]):
            assert edge.max() >= VISIBLE / 2


@pytest.mark.parametrize("luma", [0.02, 0.3, 0.5, 0.7, 0.98])
def test_ink_colour_differs_from_its_ground_by_the_contrast_it_states(luma):
    rng = np.random.Generator(np.random.PCG64(0))
    ground = np.full(3, luma, dtype=np.float32)
    for _ in range(50):
        colour, contrast = ink_colour(ground, rng, STANDARD)
        assert colour.min() > -1e-5
        assert colour.max() < 1 + 1e-5
        assert abs(abs(colour @ LUMA - luma) - contrast) < 1e-5
        assert contrast >= 0.2


def test_a_scene_depends_on_seed_split_and_index_alone(glyphs):
    first = draw_scene(glyphs, seed=7, split="val", index=3)
    again = draw_scene(load_glyphs(7), seed=7, split="val", index=3)
    assert encode_scene(first) == encode_scene(again)
    assert first.digits == again.digits
    for other in ({"seed": 8}, {"split": "test"}, {"index": 4}):
        changed = draw_scene(glyphs, **({"seed": 7, "split": "val", "index": 3} | other))
        assert not np.array_equal(changed.pixels, first.pixels)


def test_encoding_keeps_the_pixels_close(scenes):
    scene = scenes["train"][0]
    decoded = np.asarray(Image.open(io.BytesIO(encode_scene(scene))), dtype=float)
    assert decoded.shape == (320, 320, 3)
    assert np.abs(decoded - scene.pixels).mean() < 4
