import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from netwright.data.checks.picture_rules import UnreadableError, look_at
from netwright.data.feeding.preprocess import decode_picture
from tests.data.encoded_pictures import encode, png, scene, turned

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # decoding damaged files again, outside the checks
PIXELS = 89_478_485


def _look(content, max_pixels=PIXELS):
    return look_at(content, max_pixels=max_pixels)


def _rules(content):
    return [rule for rule, _ in _look(content).unusual]


ORDINARY = {
    "JPEG": encode(scene(), "JPEG"),
    "progressive": encode(scene(), "JPEG", progressive=True),
    "grey JPEG": encode(scene().convert("L"), "JPEG"),
    "RGB JPEG": encode(scene(), "JPEG", keep_rgb=True),
    "4:4:4": encode(scene(), "JPEG", subsampling=0),
    "PNG": encode(scene(), "PNG"),
    "grey PNG": encode(scene().convert("L"), "PNG"),
    "BMP": encode(scene(), "BMP"),
    "WebP": encode(scene(), "WEBP"),
    "TIFF": encode(scene(), "TIFF"),
    "LZW TIFF": encode(scene(), "TIFF", compression="tiff_lzw"),
    "stereo JPEG": encode(scene(), "MPO", save_all=True, append_images=[scene(seed=2)]),
}


@pytest.mark.parametrize("content", ORDINARY.values(), ids=ORDINARY)
def test_an_ordinary_picture_has_nothing_unusual(content):
    look = _look(content)
    assert (look.width, look.height) == (160, 120)
    assert look.unusual == ()


def test_one_picture_has_one_hash_whatever_its_format():
    hashes = [_look(content).phash for name, content in ORDINARY.items() if "grey" not in name]
    assert max((first ^ second).bit_count() for first in hashes for second in hashes) <= 6
    assert (hashes[0] ^ _look(encode(scene(seed=5), "JPEG")).phash).bit_count() > 16


UNUSUAL = {
    "CMYK": encode(scene().convert("CMYK"), "JPEG"),
    "16-bit": encode(Image.fromarray(np.asarray(scene().convert("L")).astype(np.uint16) * 257), "PNG"),
    "alpha": encode(scene().convert("RGBA"), "PNG"),
    "palette": encode(scene().convert("P"), "PNG"),
    "1-bit": encode(scene().convert("1"), "PNG"),
}
UNUSUAL_TOO = {
    "16-bit": png(2, 1, 16, 2, b"\0" + bytes(12)),
    "alpha": png(2, 1, 8, 2, b"\0" + bytes(6), (b"tRNS", bytes(6))),
    "palette": encode(scene().convert("P"), "BMP"),
    "YCbCr": encode(scene().convert("YCbCr"), "TIFF"),
}


@pytest.mark.parametrize(("mode", "content"), [*UNUSUAL.items(), *UNUSUAL_TOO.items()])
def test_an_unusual_colour_mode_is_named(mode, content):
    assert _look(content).unusual == (("colour_mode", f"its colour mode is {mode}: it is shown as 8-bit RGB"),)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_several_frames_are_noticed(kind):
    frames = [scene(seed=seed) for seed in range(3)]
    content = encode(frames[0], kind, save_all=True, append_images=frames[1:])
    assert "animated" in _rules(content)
    assert "animated" not in _rules(encode(frames[0], kind))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_noticed_and_size_and_hash_are_of_the_upright_picture(kind, orientation):
    content = encode(scene(), kind, exif=turned(orientation))
    look = _look(content)
    upright = decode_picture(content)
    assert upright.shape[:2] == (look.height, look.width)
    assert [rule for rule, _ in look.unusual] == (["exif_rotation"] if orientation > 1 else [])
    assert (look.phash ^ _look(encode(Image.fromarray(upright), "PNG")).phash).bit_count() <= 6


@pytest.mark.parametrize("kind", ["JPEG", "progressive", "PNG"])
def test_a_file_cut_anywhere_is_found(kind):
    content = ORDINARY[kind]
    random = np.random.default_rng(2)
    for cut in [0, 1, 10, len(content) - 12, *random.integers(2, len(content) - 4, 60)]:
        with pytest.raises(UnreadableError):
            _look(content[:cut])


def test_a_png_is_refused_for_any_flipped_bit_of_its_pixels():
    """Its checksums tell, where decoding alone would show other pixels."""
    content = ORDINARY["PNG"]
    for place in np.random.default_rng(4).integers(len(content) // 4, len(content) - 20, 40):
        damaged = bytearray(content)
        damaged[place] ^= 4
        with pytest.raises(UnreadableError):
            _look(bytes(damaged))


@pytest.mark.parametrize("kind", [*ORDINARY, "CMYK", "16-bit", "alpha", "palette", "1-bit"])
def test_what_damaged_files_do_is_foreseen(kind):
    """Nothing but a refusal escapes, in words without memory addresses; what is accepted can be decoded later."""
    content = (ORDINARY | UNUSUAL)[kind]
    random = np.random.default_rng(7)
    for _ in range(60):
        damaged = bytearray(content)
        reach = len(content) if random.random() < 0.5 else min(300, len(content))
        for place in random.integers(0, reach, random.integers(1, 6)):
            damaged[place] = random.integers(0, 256)
        try:
            look = _look(bytes(damaged), max_pixels=1_000_000)
        except UnreadableError as refusal:
            assert "object at" not in str(refusal)  # noqa: PT017 - most damaged files are refused, some are not
        else:
            assert decode_picture(bytes(damaged)).shape == (look.height, look.width, 3)


@pytest.mark.parametrize(
    "content", [b"", b"not a picture", b"%PDF-1.4", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", encode(scene(), "PPM")]
)
def test_what_is_no_picture_of_a_known_format_is_refused(content):
    with pytest.raises(UnreadableError):
        _look(content)


@pytest.mark.parametrize("side", [12_000, 30_000, 60_000])
def test_a_huge_picture_is_refused_by_its_header(side):
    """The header claims the pixels, the file does not hold them: decoding would fail in another way."""
    with pytest.raises(UnreadableError, match="too many"):
        _look(png(side, side, 8, 2, b""))


def test_the_largest_size_is_the_callers():
    assert _look(ORDINARY["JPEG"], max_pixels=160 * 120).width == 160
    with pytest.raises(UnreadableError, match="160 x 120 pixels are too many to decode"):
        _look(ORDINARY["JPEG"], max_pixels=160 * 120 - 1)


def test_a_jpeg_of_very_many_scans_is_refused_before_decoding():
    content = encode(scene(), "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    with pytest.raises(UnreadableError, match="100 scans"):
        _look(content[:-2] + content[last:-2] * 200 + b"\xff\xd9")


def test_a_text_chunk_that_inflates_to_megabytes_is_refused():
    chunk = b"Comment\0\0" + zlib.compress(bytes(100_000_000))
    with pytest.raises(UnreadableError):
        _look(png(2, 1, 8, 2, b"\0" + bytes(6), (b"zTXt", chunk)))


def test_a_fax_tiff_and_a_floating_point_one_are_refused():
    with pytest.raises(UnreadableError, match="packed as group4"):
        _look(encode(scene().convert("1"), "TIFF", compression="group4"))
    with pytest.raises(UnreadableError, match="no agreed range"):
        _look(encode(scene().convert("F"), "TIFF"))


def test_an_exif_block_of_nonsense_is_refused_or_ignored_alike_by_both_readers():
    whole = encode(scene(), "JPEG", exif=turned(6))
    place = whole.index(b"Exif\0\0") + 6
    for number in range(24):
        content = whole[: place + number] + b"\xff" + whole[place + number + 1 :]
        try:
            look = _look(content)
        except UnreadableError:
            continue
        assert decode_picture(content).shape[:2] == (look.height, look.width)


def test_a_header_without_pixels_is_refused():
    stream = io.BytesIO(encode(scene(), "BMP"))
    with pytest.raises(UnreadableError):
        _look(stream.getvalue()[:60] + struct.pack("<I", 0))
