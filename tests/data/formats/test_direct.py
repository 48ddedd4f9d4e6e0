import dataclasses
import errno
import io
import os

import numpy as np
import pytest
from PIL import Image

from netwright.data.conversion.raw import RawBox, RawDataset, RawLabels, RawPicture
from netwright.data.formats.direct import direct_records
from netwright.data.formats.direct_piece import Place
from netwright.data.formats.picture_header import jpeg_size
from netwright.errors import UserError
from tests.data.formats.test_round_trip import picture


def encoded(width, height, **more):
    stream = io.BytesIO()
    Image.new("RGB", (width, height)).save(stream, "JPEG", **more)
    return stream.getvalue()


@pytest.mark.parametrize("more", [{}, {"progressive": True}, {"comment": "words"}, {"optimize": True}])
def test_the_size_of_a_plain_jpeg_is_read_from_its_first_bytes(more):
    assert jpeg_size(encoded(300, 20, **more)[:4096]) == (300, 20)


@pytest.mark.parametrize(
    "head",
    [b"", b"\xff\xd8\xff", picture(5, 5, "PNG"), encoded(9, 9, exif=b"Exif\0\0II*\0"), b"\xff\xd8" + b"\xff" * 99],
)
def test_anything_else_is_left_to_pillow(head):
    assert jpeg_size(head) is None


def place(folder):
    return Place(folder / "out", "images/{}".format)


def raw_of(*contents, boxes=()):
    pictures = [
        RawPicture(name=f"p{i}", content=content, labels=lambda: RawLabels(boxes=boxes), state="", source=f"l{i}.txt")
        for i, content in enumerate(contents)
    ]
    return RawDataset(format="kitti", classes=(), pictures=pictures, count=len(pictures))


def test_a_turned_picture_has_its_upright_size(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    records = direct_records(raw_of(encoded(30, 20, exif=exif), picture(7, 8, "PNG")), place(tmp_path), [])
    assert [(item.width, item.height, item.split, item.file_name) for item in records] == [
        (20, 30, "train", "p0.jpg"),
        (7, 8, "train", "p1.png"),
    ]


def test_classes_grow_in_order_of_first_sight_and_boxes_stay_as_they_are(tmp_path):
    boxes = (RawBox(label="b", corners=(9, 9, 1, -5)), RawBox(label="a", corners=(0, 0, 0, 0), crowd=True))
    classes = ["c"]
    (record,) = direct_records(raw_of(encoded(9, 9), boxes=boxes), place(tmp_path), classes)
    assert classes == ["c", "b", "a"]
    np.testing.assert_array_equal(record.boxes, [[9, 9, 1, -5], [0, 0, 0, 0]])
    assert (record.labels.tolist(), record.crowd.tolist()) == ([1, 2], [False, True])


def test_a_box_that_is_not_finite_is_refused(tmp_path):
    boxes = (RawBox(label="b", corners=(float("nan"), 9, 1, 5)),)
    with pytest.raises(UserError, match=r"l0.txt has a box that is not finite"):
        list(direct_records(raw_of(encoded(9, 9), boxes=boxes), place(tmp_path), []))


def test_two_pictures_that_would_be_one_file_are_refused(tmp_path):
    raw = raw_of(encoded(9, 9), encoded(5, 5))
    raw.pictures[1] = dataclasses.replace(raw.pictures[1], name="p0")
    with pytest.raises(UserError, match=r"two pictures would be written as p0.jpg, l1.txt is the second"):
        list(direct_records(raw, place(tmp_path), []))


def test_a_full_disk_is_said_of_what_is_written(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(UserError, match=r"p0.jpg cannot be written \(No space left on device\)"):
        list(direct_records(raw_of(encoded(9, 9)), place(tmp_path), []))


@pytest.mark.parametrize("name", ["../p", "/p", "a/../../p"])
def test_a_name_that_leads_out_is_refused(tmp_path, name):
    raw = raw_of(encoded(9, 9))
    raw.pictures[0] = dataclasses.replace(raw.pictures[0], name=name)
    with pytest.raises(UserError, match="below the dataset's own folder"):
        list(direct_records(raw, place(tmp_path), []))
    assert not list(tmp_path.rglob("*.jpg"))
