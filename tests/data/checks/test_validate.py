import hashlib
import os
import pickle
from functools import partial

import numpy as np
import pytest

from netwright.data.checks.validate import ExaminePolicy, examine
from netwright.data.conversion.raw import RawBox, RawLabels, RawPicture
from netwright.errors import UserError
from tests.data.encoded_pictures import encode, scene, turned

CONTENT = encode(scene(64, 48), "JPEG")
BOX = RawBox(label="cat", corners=(1.0, 2.0, 30.0, 40.0), difficult=True, truncated=0.25, occluded=2)


def _given(labels):
    return labels


def _picture(*boxes, content=CONTENT, declared=None, labels=True, **options):
    read = partial(_given, RawLabels(boxes=boxes, declared_size=declared)) if labels is True else labels
    return RawPicture(name="a", content=content, labels=read, state="", source="labels/a.xml", **options)


def _examine(raw, **options):
    return examine(raw, ExaminePolicy(**options))


def _rules(examined):
    return [offence.rule for offence in examined.offences]


def test_a_good_picture_keeps_all_that_is_known_of_it():
    found = _examine(_picture(BOX, declared=(64, 48), split="val", group="video 1"))
    assert found.kept
    assert _rules(found) == ["difficult"]
    assert (found.name, found.source, found.split, found.group) == ("a", "labels/a.xml", "val", "video 1")
    assert (found.width, found.height) == (64, 48)
    assert found.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert 0 < found.phash < 2**64
    assert found.boxes.tolist() == [[1, 2, 30, 40]]
    assert found.labels == ("cat",)
    assert found.class_counts == (("cat", "cat", 1),)
    columns = (found.boxes, found.difficult, found.crowd, found.truncated, found.occluded)
    assert [column.dtype for column in columns] == [np.float32, np.bool_, np.bool_, np.float32, np.int8]
    assert [column.tolist() for column in columns[1:]] == [[True], [False], [0.25], [2]]


def test_a_picture_without_objects_is_kept_with_empty_columns():
    found = _examine(_picture())
    assert found.kept
    assert found.boxes.shape == (0, 4)
    assert found.truncated.shape == found.crowd.shape == (0,)
    assert found.labels == ()


def test_marks_out_of_range_are_brought_into_it():
    boxes = [RawBox(label="a", corners=(n, n, n + 20, n + 20), truncated=t, occluded=o) for n, t, o in
             ((0, float("nan"), -1), (5, 7.0, 99), (10, -1.0, 3))]  # fmt: skip
    found = _examine(_picture(*boxes))
    assert found.truncated.tolist() == [0, 1, 0]
    assert found.occluded.tolist() == [0, 3, 3]


def test_both_ends_can_cross_to_a_worker_process():
    raw, policy = pickle.loads(pickle.dumps((_picture(BOX), ExaminePolicy(class_mapping={"cat": "animal"}))))
    found = pickle.loads(pickle.dumps(examine(raw, policy)))
    assert found.labels == ("animal",)
    assert found.class_counts == (("cat", "animal", 1),)


def test_counts_are_of_boxes_as_read_dropped_classes_too():
    boxes = [RawBox(label=label, corners=(0, 0, 9, 9)) for label in ("sky", "cat", "cat", "cow")]
    found = _examine(_picture(*boxes), class_mapping={"cat": "animal", "sky": None})
    assert found.class_counts == (("cat", "animal", 2), ("sky", None, 1))
    assert _rules(found) == ["unknown_class", "near_identical"]
    assert found.labels == ("animal",)


def test_a_label_without_its_picture(tmp_path):
    raw = _picture(BOX, content=tmp_path / "a.jpg")
    found = _examine(raw)
    assert not found.kept
    assert _rules(found) == ["missing_image"]
    assert (found.width, found.sha256, len(found.boxes)) == (0, "", 0)
    with pytest.raises(UserError, match=r"'a' \(labels/a.xml\): a label file has no picture \(rule missing_image\)"):
        _examine(raw, on_invalid={"missing_image": "fail"})


def test_folders_pipes_and_loops_of_links_are_no_pictures(tmp_path):
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    for name in ("folder.jpg", "pipe.jpg", "loop.jpg"):
        assert _rules(_examine(_picture(content=tmp_path / name))) == ["missing_image"]


def test_a_file_name_that_no_file_system_takes_is_a_missing_picture(tmp_path):
    found = _examine(_picture(content=tmp_path / ("a" * 300 + ".jpg")), on_invalid={"unreadable": "drop"})
    assert not found.kept
    assert str(tmp_path) not in found.offences[0].reason


def test_an_enormous_file_is_not_read(tmp_path):
    path = tmp_path / "a.jpg"
    with path.open("wb") as stream:
        stream.truncate(2**40)
    found = _examine(_picture(content=path), on_invalid={"unreadable": "drop"})
    assert _rules(found) == ["unreadable"]
    assert found.sha256 == ""


def test_a_picture_without_a_label_is_dropped_kept_or_refused():
    raw = _picture(labels=None)
    assert not _examine(raw).kept
    kept = _examine(raw, on_invalid={"missing_label": "keep"})
    assert kept.kept
    assert (kept.boxes.shape, _rules(kept)) == ((0, 4), ["missing_label"])
    with pytest.raises(UserError, match=r"set dataset\.on_invalid\.missing_label to drop or keep"):
        _examine(raw, on_invalid={"missing_label": "fail"})


def _broken(error):
    raise error


@pytest.mark.parametrize(
    "error", [UserError("line 3 of labels/a.xml: no number"), PermissionError(13, "Permission denied", "/home/a.xml")]
)
def test_a_label_file_that_cannot_be_parsed(error):
    raw = _picture(labels=partial(_broken, error))
    with pytest.raises(UserError, match="rule bad_label"):
        _examine(raw)
    found = _examine(raw, on_invalid={"bad_label": "drop"})
    assert not found.kept
    assert _rules(found) == ["bad_label"]
    assert "/home" not in found.offences[0].reason
    assert (found.width, found.height) == (64, 48)


def test_a_label_file_of_very_many_boxes_cannot_be_right():
    found = _examine(_picture(*[BOX] * 20_001), on_invalid={"bad_label": "drop"})
    assert _rules(found) == ["bad_label"]


def test_an_unreadable_picture_is_named_in_one_line(tmp_path):
    path = tmp_path / "bad.jpg"
    path.write_bytes(CONTENT[: len(CONTENT) // 2])
    with pytest.raises(UserError, match=r"'a' \(labels/a.xml\): the picture cannot be read: it is damaged") as caught:
        _examine(_picture(BOX, content=path))
    assert "\n" not in str(caught.value)
    found = _examine(_picture(BOX, content=path), on_invalid={"unreadable": "drop"})
    assert (found.kept, _rules(found), len(found.boxes)) == (False, ["unreadable"], 0)


@pytest.mark.parametrize(
    ("rule", "content"),
    [
        ("colour_mode", encode(scene(64, 48).convert("CMYK"), "JPEG")),
        ("animated", encode(scene(64, 48), "PNG", save_all=True, append_images=[scene(64, 48, 2)])),
        ("exif_rotation", encode(scene(64, 48), "JPEG", exif=turned(3))),
    ],
)
def test_an_unusual_picture_is_kept_dropped_or_refused(rule, content):
    raw = _picture(BOX, content=content)
    kept = _examine(raw, on_invalid={rule: "keep"})
    assert kept.kept
    assert _rules(kept) == [rule, "difficult"]
    dropped = _examine(raw, on_invalid={rule: "drop"})
    assert not dropped.kept
    assert _rules(dropped) == [rule]  # its boxes are not looked at
    with pytest.raises(UserError, match=f"rule {rule}"):
        _examine(raw, on_invalid={rule: "fail"})


def test_a_wrong_declared_size_is_reported_and_the_pictures_own_used():
    found = _examine(_picture(BOX, declared=(640, 480)))
    assert (found.width, found.height) == (64, 48)
    assert _rules(found) == ["size_mismatch", "difficult"]
    assert "(640, 480)" in found.offences[0].reason
    assert not _examine(_picture(BOX, declared=(640, 480)), on_invalid={"size_mismatch": "drop"}).kept


def test_a_picture_labelled_before_its_exif_turn_is_pointed_out():
    content = encode(scene(64, 48), "JPEG", exif=turned(6))
    found = _examine(_picture(content=content, declared=(64, 48)))
    assert (found.width, found.height) == (48, 64)
    assert _rules(found) == ["exif_rotation", "size_mismatch"]
    assert "before its EXIF turn" in found.offences[1].reason
    assert _rules(_examine(_picture(content=content, declared=(48, 64)))) == ["exif_rotation"]
