"""Records written in each format and read again: whatever the format can hold is the same."""

import functools
import io
import tempfile
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from netwright.artifacts.dataset import Record
from netwright.data.formats import coco, kitti, voc, yolo
from netwright.errors import UserError

FORMATS = {"kitti": kitti, "coco": coco, "voc": voc, "yolo": yolo}
# The widest error of a corner in pixels; 0: the same float32 comes back.
PRECISION = {"kitti": 0.0, "coco": 0.0, "voc": 0.0, "yolo": 1e-6}
CLASSES = ("cat", "no", "1e5", "straße", "a&b<c>", "猫", "null")


def kept(format_name, label, difficult, crowd, truncated, occluded):
    """What the format has a field for, by its own description."""
    match format_name:
        case "kitti":
            return ("DontCare" if crowd else label, False, crowd, truncated, occluded)
        case "coco":
            return (label, difficult, crowd, truncated, occluded)
        case "voc":
            return (label, difficult, False, float(truncated > 0), int(occluded in (1, 2)))
        case _:
            return (label, False, False, 0.0, 0)


@functools.cache
def picture(width, height, kind):
    stream = io.BytesIO()
    Image.new("RGB", (width, height), (width % 256, 7, 9)).save(stream, kind)
    return stream.getvalue()


parts = (
    st.text(st.sampled_from("abZ09._- éß猫'&%#"), min_size=1, max_size=8)
    .map(lambda text: unicodedata.normalize("NFC", text))
    .filter(lambda text: text == text.strip() and text.strip(".") and not text.startswith("."))
)
names = st.lists(parts, min_size=1, max_size=3).map("/".join)


@st.composite
def record(draw, name, split):
    width, height = draw(st.integers(1, 2000)), draw(st.integers(1, 20))
    count = draw(st.integers(0, 3))

    def column(values, kind):
        return np.array(draw(st.lists(values, min_size=count, max_size=count)), kind)

    def side(length):
        ends = st.tuples(*[st.floats(0, length, width=32)] * 2).map(sorted)
        return column(ends, np.float32).reshape(count, 2)

    x, y = side(width), side(height)
    return Record(
        name=name,
        split=split,
        image=picture(width, height, draw(st.sampled_from(["PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF"]))),
        width=width,
        height=height,
        boxes=np.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], axis=1),
        labels=column(st.integers(0, len(CLASSES) - 1), np.int64),
        difficult=column(st.booleans(), np.bool_),
        crowd=column(st.booleans(), np.bool_),
        truncated=column(st.floats(0, 1, width=32), np.float32),
        occluded=column(st.integers(0, 3), np.int8),
    )


@st.composite
def records(draw):
    chosen = draw(st.lists(names, min_size=2, max_size=4, unique_by=str.casefold))
    splits = ["train", "val", *draw(st.lists(st.sampled_from(["train", "val", "test"]), min_size=2, max_size=2))]
    return [draw(record(name, split)) for name, split in zip(chosen, splits, strict=False)]


@pytest.mark.parametrize("format_name", FORMATS)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(written=records())
def test_a_round_trip_keeps_what_the_format_can_hold(format_name, written):
    with tempfile.TemporaryDirectory() as folder:
        FORMATS[format_name].save(iter(written), CLASSES, Path(folder))
        if any(len(item.labels) for item in written):  # KITTI and YOLO are told by a line of theirs
            assert FORMATS[format_name].detect(Path(folder))
        raw = FORMATS[format_name].load(Path(folder))
        read = {item.name: (item, item.labels(), item.read()) for item in raw.pictures}
    assert raw.classes == (CLASSES if format_name in ("coco", "yolo") else ())
    assert raw.count == len(read)
    assert sorted(read) == sorted(item.name for item in written)
    for item in written:
        found, labels, content = read[item.name]
        assert (found.split, content) == (item.split, item.image)
        assert labels.declared_size in (None, (item.width, item.height))
        corners = np.array([box.corners for box in labels.boxes], np.float32).reshape(-1, 4)
        np.testing.assert_allclose(corners, item.boxes, rtol=1e-7, atol=PRECISION[format_name])
        fields = zip(item.labels, item.difficult, item.crowd, item.truncated, item.occluded, strict=True)
        wanted = [kept(format_name, CLASSES[label], *more) for label, *more in fields]
        assert [(b.label, b.difficult, b.crowd, b.truncated, b.occluded) for b in labels.boxes] == wanted


@pytest.mark.parametrize("format_name", FORMATS)
def test_nothing_is_written_outside_the_folder(tmp_path, format_name):
    outside = Record(
        name="../../escaped", split="train", image=b"", width=1, height=1, boxes=np.zeros((0, 4)), labels=np.zeros(0)
    )
    with pytest.raises(UserError, match="escaped"):
        FORMATS[format_name].save([outside], CLASSES, tmp_path / "a" / "b")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("format_name", FORMATS)
def test_the_same_records_give_the_same_bytes(tmp_path, format_name):
    boxes = np.array([[1.5, 2.25, 30, 40.125], [0, 0, 1, 1]], np.float32)
    given = [
        Record(name=name, split=split, image=picture(50, 60, "PNG"), width=50, height=60, boxes=boxes, labels=labels)
        for name, split, labels in [("a", "train", np.array([0, 1])), ("b/c", "val", np.array([2, 0]))]
    ]
    written = []
    for place in ("first", "second"):
        FORMATS[format_name].save(given, CLASSES, tmp_path / place)
        files = (path for path in (tmp_path / place).rglob("*") if path.is_file())
        written.append({path.relative_to(tmp_path / place): path.read_bytes() for path in files})
    assert written[0] == written[1]
