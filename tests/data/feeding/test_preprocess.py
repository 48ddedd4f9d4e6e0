"""The input spec decides pixels and geometry; boxes survive the way there and back."""

import io

import numpy as np
import pytest
from PIL import Image

from netwright.data.feeding.preprocess import decode_picture, fit_geometry, fit_picture
from netwright.types import InputSpec


def _picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_picture_of_the_inputs_size_passes_unchanged() -> None:
    picture = _picture(32, 64)
    pixels, geometry = fit_picture(picture, InputSpec(height=32, width=64))
    assert np.array_equal(pixels, picture.transpose(2, 0, 1))
    assert (geometry.scale_x, geometry.scale_y, geometry.pad_x, geometry.pad_y) == (1, 1, 0, 0)


def test_bgr_reverses_the_channels() -> None:
    picture = _picture(32, 32)
    pixels, _ = fit_picture(picture, InputSpec(height=32, width=32, colour="BGR"))
    assert np.array_equal(pixels[0], picture[..., 2])


def test_letterbox_keeps_the_aspect_and_pads_right_and_bottom() -> None:
    pixels, geometry = fit_picture(_picture(48, 64), InputSpec(height=64, width=64, pad_value=7))
    assert geometry.scale_x == geometry.scale_y == 1.0
    assert (pixels[:, 48:] == 7).all()
    assert not (pixels[:, :48] == 7).all()


def test_letterbox_on_both_sides_centres_the_picture() -> None:
    pixels, geometry = fit_picture(_picture(32, 64), InputSpec(height=64, width=64, pad_side="both", pad_value=7))
    assert (geometry.pad_x, geometry.pad_y) == (0, 16)
    assert (pixels[:, :16] == 7).all()
    assert (pixels[:, 48:] == 7).all()


def test_stretch_scales_each_axis_apart() -> None:
    geometry = fit_geometry(100, 50, InputSpec(height=64, width=64, resize="stretch"))
    assert (geometry.scale_x, geometry.scale_y) == (0.64, 1.28)


@pytest.mark.parametrize("size", [(640, 480), (31, 97), (1000, 3)])
@pytest.mark.parametrize("resize", ["letterbox", "stretch"])
@pytest.mark.parametrize("pad_side", ["right_bottom", "both"])
def test_boxes_return_to_where_they_were(size: tuple[int, int], resize: str, pad_side: str) -> None:
    spec = InputSpec(height=320, width=416, resize=resize, pad_side=pad_side)  # type: ignore[arg-type]
    geometry = fit_geometry(*size, spec)
    boxes = np.array([[0, 0, *size], [1, 1, size[0] / 2, size[1] / 2]], dtype=np.float32)
    inside = geometry.to_input(boxes)
    assert (inside >= 0).all()
    assert (inside <= [416, 320, 416, 320]).all()
    np.testing.assert_allclose(geometry.to_picture(inside), boxes, atol=1e-3)


def test_boxes_beyond_the_picture_are_clipped() -> None:
    geometry = fit_geometry(100, 50, InputSpec(height=64, width=64))
    assert geometry.to_picture(np.array([[-5, -5, 500, 500]], dtype=np.float32)).tolist() == [[0, 0, 100, 50]]


def test_decode_turns_a_picture_upright() -> None:
    picture = Image.fromarray(_picture(8, 16))
    exif = picture.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    stream = io.BytesIO()
    picture.save(stream, "PNG", exif=exif)
    assert decode_picture(stream.getvalue()).shape == (16, 8, 3)
