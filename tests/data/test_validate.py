import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from netwright.data.preprocess import decode_picture
from netwright.data.raw import RawBox, RawPicture
from netwright.data.validate import REJECTING, check_picture
from netwright.errors import UserError

NAN = float("nan")


def _encoded(size=(64, 48), kind="JPEG", **options):
    stream = io.BytesIO()
    Image.new("RGB", size, (200, 10, 10)).save(stream, kind, **options)
    return stream.getvalue()


def _picture(*corners, content=None, declared=(64, 48)):
    boxes = tuple(RawBox(label="cat", corners=box) for box in corners)
    return RawPicture(
        name="a",
        split="train",
        content=_encoded() if content is None else content,
        boxes=boxes,
        source="Annotations/a.xml",
        declared_size=declared,
    )


@pytest.mark.parametrize(
    ("corners", "kept", "rule"),
    [
        ((1, 2, 64, 48), (1, 2, 64, 48), None),
        ((0, 0, 64, 48), (0, 0, 64, 48), None),
        ((5, 5, 5, 9), None, "degenerate"),
        ((5, 5, 9, 5), None, "degenerate"),
        ((9, 5, 5, 8), None, "degenerate"),
        ((-3, 2, 70, 40), (0, 2, 64, 40), "clipped"),
        ((64, 2, 70, 40), None, "outside"),
        ((5, -9, 9, 0), None, "outside"),
        ((NAN, 2, 5, 6), None, "not_finite"),
        ((1, 2, float("inf"), 6), None, "not_finite"),
    ],
)
def test_each_box_rule(corners, kept, rule):
    record, offences = check_picture(_picture(corners), ("cat",))
    assert record.boxes.tolist() == ([] if kept is None else [list(kept)])
    assert len(record.labels) == len(record.boxes)
    assert [offence.rule for offence in offences] == ([] if rule is None else [rule])
    if rule:
        assert offences[0].name == "a"
        assert offences[0].label == "cat"
        assert offences[0].reason


@settings(max_examples=300, deadline=None)
@given(st.tuples(*[st.floats(width=64) | st.floats(-10, 80) | st.integers(-5, 70).map(float)] * 4))
def test_whatever_is_written_a_kept_box_has_an_area_inside_the_picture(corners):
    record, offences = check_picture(_picture(corners), ("cat",))
    assert len(record.boxes) + sum(offence.rule in REJECTING for offence in offences) == 1
    for left, top, right, bottom in record.boxes:
        assert 0 <= left < right <= 64
        assert 0 <= top < bottom <= 48


def test_a_wrong_declared_size_is_reported_and_the_pictures_own_used():
    record, offences = check_picture(_picture((1, 2, 60, 40), declared=(640, 480)), ("cat",))
    assert (record.width, record.height) == (64, 48)
    assert [offence.rule for offence in offences] == ["size_mismatch"]
    assert "(640, 480)" in offences[0].reason


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_noticed_and_the_size_is_that_of_the_decoded_picture(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = _encoded(exif=exif)
    record, offences = check_picture(_picture(content=content, declared=None), ("cat",))
    assert decode_picture(content).shape[:2] == (record.height, record.width)
    assert [offence.rule for offence in offences] == (["exif_rotation"] if orientation > 1 else [])


def _cut(content):
    return content[: len(content) // 2]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a picture",
        _cut(_encoded((200, 200), quality=95)),
        _cut(_encoded((200, 200), "PNG")),
        _encoded(kind="GIF"),
    ],
    ids=["empty", "text", "cut JPEG", "cut PNG", "GIF"],
)
def test_an_unreadable_picture_is_named_in_one_line(tmp_path, content):
    path = tmp_path / "bad.jpg"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"bad\.jpg is not a readable JPEG or PNG") as caught:
        check_picture(_picture(content=path), ("cat",))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("side", [12_000, 60_000])
def test_a_huge_picture_is_refused_by_its_header(side):
    """The header claims the pixels, the file does not hold them: decoding would fail in another way."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    with pytest.raises(UserError, match="shrink it"):
        check_picture(_picture(content=b"\x89PNG\r\n\x1a\n" + body), ("cat",))


def test_the_encoded_bytes_are_kept_as_they_are(tmp_path: Path):
    path = tmp_path / "a.png"
    path.write_bytes(_encoded(kind="PNG"))
    record, _ = check_picture(_picture((1, 2, 3, 4), content=path), ("cat",))
    assert record.image == path.read_bytes()
    assert record.boxes.dtype == np.float32
    assert record.labels.dtype == np.int64
