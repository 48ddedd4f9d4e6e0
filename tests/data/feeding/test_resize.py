"""Scaled pictures are Pillow's to a grey level; a JPEG decoded in part looks like one decoded whole, boxes included."""

import io

import numpy as np
import pytest
from PIL import Image

from netwright.data.feeding import resize
from netwright.data.feeding.preprocess import decode_picture, draw_picture, fit_geometry, fit_picture
from netwright.data.feeding.resize import sized_pixels
from netwright.types import InputSpec

SPEC = InputSpec(height=60, width=80)


def _noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def _scene(width: int, height: int) -> Image.Image:
    """Soft, as photographs are, with a hard-edged dark square over the last eighth of the width and the height."""
    picture = _noise(12, 9).resize((width, height), Image.Resampling.BICUBIC)
    picture.paste((0, 0, 0), (width - width // 8, height - height // 8, width, height))
    return picture


def _encoded(picture: Image.Image, kind: str = "JPEG", orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    picture.save(stream, kind, quality=95, exif=exif)
    return stream.getvalue()


def _drawn(content: bytes, spec: InputSpec = SPEC) -> np.ndarray:
    pixels = np.empty((3, spec.height, spec.width), dtype=np.uint8)
    draw_picture(content, spec, pixels)
    return pixels


@pytest.mark.parametrize("size", [(640, 193), (97, 361), (31, 7), (1241, 376), (640, 375), (1500, 500)])
def test_scaling_is_pillows_to_a_grey_level(size: tuple[int, int]) -> None:
    picture = _noise(1242, 375)
    expected = np.asarray(picture.resize(size, Image.Resampling.BILINEAR)).astype(int)
    difference = np.abs(sized_pixels(picture, size).astype(int) - expected)
    assert difference.max() <= (2 if size[0] > picture.width or size[1] > picture.height else 1)
    assert difference.mean() < 0.01


def test_a_picture_kept_in_several_pieces_is_scaled_alike() -> None:
    picture = _scene(5000, 3600)  # 72 MB
    expected = np.asarray(picture.resize((80, 60), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(sized_pixels(picture, (80, 60)).astype(int) - expected).max() <= 1


@pytest.mark.parametrize("size", [(238, 178), (241, 180), (240, 181)])
def test_jpeg_scaled_less_or_with_odd_sides_is_decoded_whole(size: tuple[int, int]) -> None:
    content = _encoded(_noise(*size))
    assert np.array_equal(_drawn(content), fit_picture(decode_picture(content), SPEC)[0])


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_other_formats_are_decoded_whole(kind: str) -> None:
    content = _encoded(_noise(640, 480), kind)
    assert np.array_equal(_drawn(content), fit_picture(decode_picture(content), SPEC)[0])


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_a_far_larger_jpeg_is_decoded_in_part_and_looks_the_same(factor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    content = _encoded(_scene(120 * factor, 96 * factor))
    part = _drawn(content).astype(int)
    monkeypatch.setattr(resize, "_SPARE", np.inf)
    whole = _drawn(content).astype(int)
    difference = np.abs(part - whole)
    assert 0 < difference.mean() < 1
    assert np.percentile(difference, 99) <= 8
    assert difference.max() <= 40  # beside the square's hard edge


def test_a_picture_turned_by_exif_is_decoded_in_part_too(monkeypatch: pytest.MonkeyPatch) -> None:
    content = _encoded(_scene(480, 640), orientation=6)
    part = _drawn(content).astype(int)
    monkeypatch.setattr(resize, "_SPARE", np.inf)
    assert 0 < np.abs(part - _drawn(content)).mean() < 1


def test_geometry_is_the_whole_pictures() -> None:
    pixels = np.empty((3, SPEC.height, SPEC.width), dtype=np.uint8)
    assert draw_picture(_encoded(_noise(640, 482)), SPEC, pixels) == fit_geometry(640, 482, SPEC)
