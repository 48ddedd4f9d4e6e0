"""Every colour mode and orientation against numbers worked out by hand."""

import struct

import numpy as np
import pytest
from PIL import Image

from netwright.data.feeding.preprocess import decode_picture
from tests.data.encoded_pictures import encode, png, scene, turned

PIXELS = np.array([[[10, 20, 30], [200, 0, 0]], [[0, 0, 255], [1, 2, 3]], [[9, 9, 9], [255, 255, 255]]], dtype=np.uint8)


def test_sixteen_bit_grey_is_scaled_over_its_whole_range():
    """257 steps of 16 bits are one of 8: half a step, 128.5, is the border."""
    values = [0, 128, 129, 257, 514, 32768, 65406, 65407, 65535]
    content = png(9, 1, 16, 0, b"\0" + struct.pack(">9H", *values))
    expected = [0, 0, 1, 1, 2, 128, 254, 255, 255]
    assert decode_picture(content).tolist() == [[[value] * 3 for value in expected]]


@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_sixteen_bit_tiff_is_scaled_alike(order):
    values = np.array([[0, 257, 65535]], dtype=order)
    picture = Image.frombytes("I;16" if order == "<u2" else "I;16B", (3, 1), values.tobytes())
    assert decode_picture(encode(picture, "TIFF"))[0, :, 0].tolist() == [0, 1, 255]


def test_many_rows_of_sixteen_bits_are_all_scaled():
    values = np.arange(700, dtype=np.uint16)[:, None] * np.array([[0, 90]], dtype=np.uint16)
    decoded = decode_picture(encode(Image.fromarray(values), "PNG"))
    assert (decoded[..., 0] == np.round(values / 257)).all()


def test_sixteen_bit_colour_keeps_its_high_byte():
    content = png(1, 1, 16, 2, b"\0" + struct.pack(">3H", 0x1234, 0xFF00, 0x00FF))
    assert decode_picture(content).tolist() == [[[0x12, 0xFF, 0x00]]]


@pytest.mark.parametrize(
    ("mode", "pixel", "expected"),
    [
        ("RGBA", (200, 0, 0, 255), (200, 0, 0)),
        ("RGBA", (200, 0, 0, 0), (255, 255, 255)),
        ("RGBA", (200, 0, 0, 51), (244, 204, 204)),  # a fifth of it, four of white
        ("LA", (100, 0), (255, 255, 255)),
        ("LA", (100, 51), (224, 224, 224)),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_what_is_transparent_lies_on_white(kind, mode, pixel, expected):
    assert decode_picture(encode(Image.new(mode, (2, 2), pixel), kind))[1, 1].tolist() == list(expected)


def test_a_transparent_colour_of_palette_grey_and_rgb_is_white():
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((1, 0), 1)
    assert decode_picture(encode(palette, "PNG")).tolist() == [[[10, 20, 30], [40, 50, 60]]]
    assert decode_picture(encode(palette, "PNG", transparency=1)).tolist() == [[[10, 20, 30], [255, 255, 255]]]
    assert decode_picture(encode(palette, "GIF", transparency=1)).tolist() == [[[10, 20, 30], [255, 255, 255]]]
    grey = png(2, 1, 8, 0, b"\0\x07\x08", (b"tRNS", b"\0\x07"))
    assert decode_picture(grey).tolist() == [[[255] * 3, [8] * 3]]
    colour = png(2, 1, 8, 2, b"\0\1\2\3\4\5\6", (b"tRNS", b"\0\1\0\2\0\3"))
    assert decode_picture(colour).tolist() == [[[255] * 3, [4, 5, 6]]]


def test_one_bit_is_black_and_white():
    assert decode_picture(png(3, 1, 1, 0, b"\0\xa0")).tolist() == [[[255] * 3, [0] * 3, [255] * 3]]


@pytest.mark.parametrize("ink", [(0, 255, 255, 0), (0, 0, 0, 255), (0, 0, 0, 0), (255, 0, 0, 128), (30, 60, 90, 20)])
def test_cmyk_jpeg_is_read_the_adobe_way_with_and_without_its_marker(ink):
    content = encode(Image.new("CMYK", (16, 16), ink), "JPEG", quality=100)
    marker = content.index(b"\xff\xeeAdobe"[:2])
    length = int.from_bytes(content[marker + 2 : marker + 4], "big")
    expected = [(255 - value) * (255 - ink[3]) / 255 for value in ink[:3]]
    for variant in (content, content[:marker] + content[marker + 2 + length :]):
        assert np.abs(decode_picture(variant)[8, 8] - np.array(expected)).max() <= 3


def test_cmyk_tiff_is_read_as_written():
    content = encode(Image.new("CMYK", (2, 2), (0, 255, 255, 0)), "TIFF")
    assert decode_picture(content)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_plain_pixels_are_as_written(kind):
    assert decode_picture(encode(Image.fromarray(PIXELS), kind)).tolist() == PIXELS.tolist()
    assert decode_picture(encode(Image.fromarray(PIXELS[..., 0]), kind))[..., 2].tolist() == PIXELS[..., 0].tolist()


def test_lossless_webp_is_as_written():
    assert decode_picture(encode(Image.fromarray(PIXELS), "WEBP", lossless=True)).tolist() == PIXELS.tolist()


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_of_several_frames_the_first_is_shown(kind):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((250, 0, 0), (0, 250, 0), (0, 0, 250))]
    content = encode(frames[0], kind, save_all=True, append_images=frames[1:])
    assert np.abs(decode_picture(content)[4, 4].astype(int) - [250, 0, 0]).max() < 12


@pytest.mark.parametrize("mode", ["F", "I"])
def test_pixels_without_an_agreed_range_are_refused(mode):
    with pytest.raises(ValueError, match="no agreed range"):
        decode_picture(encode(Image.new(mode, (2, 2), 1), "TIFF"))


UPRIGHT = {  # the EXIF standard's table: where the stored first row and first column belong
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].transpose(1, 0, 2),
    8: lambda stored: np.rot90(stored, 1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_pictures_are_turned_upright_once(kind, orientation):
    content = encode(Image.fromarray(PIXELS), kind, exif=turned(orientation))
    assert decode_picture(content).tolist() == UPRIGHT[orientation](PIXELS).tolist()


@pytest.mark.parametrize("orientation", [0, 9, 4711])
def test_an_orientation_that_does_not_exist_turns_nothing(orientation):
    content = encode(Image.fromarray(PIXELS), "PNG", exif=turned(orientation))
    assert decode_picture(content).tolist() == PIXELS.tolist()


def test_a_turned_jpeg_is_upright():
    wide = scene(64, 32)
    content = encode(wide, "JPEG", quality=95, exif=turned(6))
    expected = np.rot90(decode_picture(encode(wide, "JPEG", quality=95)), -1)
    assert (decode_picture(content) == expected).all()
