import math
import os
import pickle
import unicodedata

import numpy as np
import pytest
from defusedxml.ElementTree import parse

from netwright.artifacts.dataset import Record
from netwright.data.formats.label_text import LARGEST
from netwright.data.formats.voc import detect, load, save
from netwright.errors import UserError
from tests.data.formats.miniature_files import boxes_of, splits_of, write_files
from tests.data.miniature import BOXES, OWN_SPLITS, object_xml, write_picture, write_voc, write_xml

CORNERS = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox>"


@pytest.fixture
def voc(tmp_path):
    return write_voc(tmp_path / "voc", OWN_SPLITS)


def labels_of(folder, name="img0"):
    return next(picture for picture in load(folder).pictures if picture.name == name).labels()


def test_reads_boxes_and_own_splits(voc):
    raw = load(voc)
    assert detect(voc) == "it has Annotations/*.xml of annotations"
    assert (raw.format, raw.classes, raw.count) == ("voc", (), 6)
    assert boxes_of(raw, "img1") == [("cat", BOXES["cat"]), ("dog", BOXES["dog"])]
    first = next(iter(raw.pictures))
    assert (first.name, first.source, first.labels().declared_size) == ("img0", "Annotations/img0.xml", (64, 48))
    assert splits_of(raw) == {name: split for split, names in OWN_SPLITS.items() for name in names}
    assert "split files of ImageSets/Main: train, val, test" in raw.notes


def test_annotations_are_read_when_asked_for_also_in_another_process(voc):
    pictures = list(load(voc).pictures)
    write_xml(voc, "img0", object_xml("bird", 1, 2, 3, 4))
    assert [box.label for box in pickle.loads(pickle.dumps(pictures[0])).labels().boxes] == ["bird"]
    assert pictures[0].state != next(iter(load(voc).pictures)).state


def test_keeps_difficult_truncated_and_occluded(voc):
    flags = "<truncated>1</truncated><difficult>1</difficult><occluded>1</occluded>"
    vague = "<truncated>Unspecified</truncated><difficult/><occluded>nan</occluded>"
    objects = "".join(f"<object><name> cat </name>{more}{CORNERS}</object>" for more in (flags, vague, ""))
    write_xml(voc, "img0", objects)
    boxes = labels_of(voc).boxes
    assert [(box.difficult, box.truncated, box.occluded) for box in boxes] == [
        (True, 1, 1),
        (False, 0, 0),
        (False, 0, 0),
    ]
    assert {box.label for box in boxes} == {"cat"}


def test_corners_are_taken_as_written_and_parts_are_no_objects(voc):
    part = f"<part><name>head</name>{CORNERS}</part>"
    write_xml(voc, "img0", object_xml("cat", 1, 1, 64.5, "nan").replace("</object>", f"{part}</object>"))
    (box,) = labels_of(voc).boxes
    assert box.corners[:3] == (1.0, 1.0, 64.5)
    assert math.isnan(box.corners[3])


@pytest.mark.parametrize("size", ["", "<size><width>0</width><height>0</height></size>", "<size/>"])
def test_a_size_may_be_untold(voc, size):
    (voc / "Annotations/img0.xml").write_text(f"<annotation>{size}</annotation>")
    assert labels_of(voc).declared_size is None
    assert labels_of(voc).boxes == ()


def test_without_split_files_no_picture_has_a_split(tmp_path):
    assert set(splits_of(load(write_voc(tmp_path, None))).values()) == {""}


def test_unlisted_pictures_are_left_out_and_a_split_alone_divides_nothing(tmp_path):
    two = write_voc(tmp_path / "two", {"train": ["img0", "img1"], "test": ["img2"]})
    assert splits_of(load(two)) == {"img0": "train", "img1": "train", "img2": "test"}
    assert "3 pictures are in none of the splits and left out" in load(two).notes
    one = write_voc(tmp_path / "one", {"train": ["img0", "img1"]})
    assert splits_of(load(one)) == dict.fromkeys((f"img{number}" for number in range(6)), "")


def test_trainval_serves_as_train_where_that_is_missing(tmp_path):
    folder = write_voc(tmp_path, {"trainval": ["img0", "img1", "img2"], "val": ["img2"], "test": ["img3"]})
    assert splits_of(load(folder)) == {"img0": "train", "img1": "train", "img2": "val", "img3": "test"}
    (folder / "ImageSets/Main/train.txt").write_text("img0\n")
    assert "img1" not in splits_of(load(folder))


def test_split_files_may_have_blanks_marks_and_the_line_ends_of_windows(tmp_path):
    folder = write_voc(tmp_path, None)
    for name in ("a cat 1", "ä b"):
        write_picture(folder, name, ["cat"])
    (folder / "ImageSets/Main/train.txt").write_bytes("\ufeffa cat 1\r\nä b\r\n\r\nimg0  1\r\nimg1 -1\r\n".encode())
    (folder / "ImageSets/Main/val.txt").write_bytes(unicodedata.normalize("NFD", "img2\n").encode("utf-8"))
    raw = load(folder)
    assert splits_of(raw) == dict.fromkeys(("a cat 1", "ä b", "img0", "img1"), "train") | {"img2": "val"}


def test_pictures_and_annotations_may_lie_in_folders_with_extensions_in_capitals(tmp_path):
    folder = write_voc(tmp_path, None)
    for part, name in (("JPEGImages", "img0.jpg"), ("Annotations", "img0.xml")):
        (folder / part / "day 1").mkdir()
        (folder / part / name).rename(folder / part / "day 1" / f"x{name[4:].upper()}")
    raw = load(folder)
    assert boxes_of(raw, "day 1/x") == [("cat", BOXES["cat"])]
    assert next(picture for picture in raw.pictures if picture.name == "day 1/x").content.is_file()


def test_the_annotations_own_entry_finds_a_picture_that_is_called_otherwise(voc):
    (voc / "JPEGImages/img0.jpg").rename(voc / "JPEGImages/other.jpg")
    write_xml(voc, "img0", object_xml("cat", 1, 2, 3, 4), filename="other.jpg")
    raw = load(voc)
    assert boxes_of(raw, "other") == [("cat", (1, 2, 3, 4))]
    assert splits_of(raw)["other"] == "train"
    assert raw.count == 6


@pytest.mark.parametrize("filename", ["../../secret.jpg", "/etc/passwd", "..\\secret.jpg", "img1.jpg", "&bad;"])
def test_an_entry_that_leads_out_or_to_another_annotations_picture_is_not_followed(voc, filename):
    (voc.parent / "secret.jpg").write_bytes((voc / "JPEGImages/img0.jpg").read_bytes())
    (voc / "JPEGImages/img0.jpg").unlink()
    write_xml(voc, "img0", "", filename=filename)
    picture = next(iter(load(voc).pictures))
    assert (picture.name, picture.content) == ("img0", voc / "JPEGImages/img0.jpg")


def test_what_is_missing_is_left_to_the_rules(voc):
    (voc / "JPEGImages/img0.jpg").unlink()
    (voc / "Annotations/img1.xml").unlink()
    with (voc / "ImageSets/Main/train.txt").open("a") as names:
        names.write("nowhere\n")
    raw = {picture.name: picture for picture in load(voc).pictures}
    assert not raw["img0"].content.exists()
    assert [box.label for box in raw["img0"].labels().boxes] == ["cat"]
    assert raw["img1"].labels is None
    assert raw["img1"].content.exists()
    assert raw["nowhere"].labels is None
    assert not raw["nowhere"].content.exists()


def test_reads_latin_1_with_and_without_saying_so(voc):
    text = f"<annotation><object><name>Käse</name>{CORNERS}</object></annotation>"
    for declared in ("", "<?xml version='1.0' encoding='ISO-8859-1'?>", "<?xml version='1.0' encoding='utf-8'?>"):
        (voc / "Annotations/img0.xml").write_bytes((declared + text).encode("latin-1"))
        assert [box.label for box in labels_of(voc).boxes] == ["Käse"]


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
BROKEN = {
    "cut off": (b"<annotation><object>", "readable XML"),
    "empty": (b"", "readable XML"),
    "binary": (b"\x00\xff\x00", "readable XML"),
    "entity bomb": (f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]><annotation>&l9;</annotation>'.encode(), "readable XML"),
    "file as entity": (
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation>&x;</annotation>',
        "readable XML",
    ),
    "unknown encoding": (b"<?xml version='1.0' encoding='klingon'?><annotation/>", "readable XML"),
    "another root": (b"<html/>", "'html'"),
    "no bndbox": (b"<annotation><object><name>cat</name></object></annotation>", "bndbox"),
    "no name": (f"<annotation><object>{CORNERS}</object></annotation>".encode(), "name"),
    "not a number": (f"<annotation>{object_xml('cat', 'one', 2, 3, 4)}</annotation>".encode(), "could not convert"),
    "missing number": (f"<annotation>{object_xml('cat', '', 2, 3, 4)}</annotation>".encode(), "could not convert"),
    "endless size": (b"<annotation><size><width>inf</width><height>1</height></size></annotation>", "infinity"),
    "too large": (b"<annotation>" + b" " * LARGEST + b"</annotation>", "MiB"),
}


@pytest.mark.parametrize(("content", "message"), BROKEN.values(), ids=BROKEN)
def test_refuses_a_broken_annotation_naming_the_file(voc, content, message):
    (voc / "Annotations/img1.xml").write_bytes(content)
    with pytest.raises(UserError, match=r"Annotations/img1\.xml") as caught:
        labels_of(voc, "img1")
    assert message in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("line", "message"),
    [("../img0", "'../img0'"), ("/img0", "'/img0'"), ("C:\\img0", "below"), ("img3", "both val.txt and test.txt")],
)
def test_refuses_split_files_that_lead_out_or_contradict_each_other(voc, line, message):
    (voc / "ImageSets/Main/test.txt").write_text(f"img4\n{line}\n")
    with pytest.raises(UserError, match=r"ImageSets/Main") as caught:
        load(voc)
    assert message in str(caught.value)


def test_walks_no_circle_of_links(voc):
    (voc / "Annotations/again").symlink_to(voc / "Annotations")
    (voc / "JPEGImages/loop.jpg").symlink_to("loop.jpg")
    assert load(voc).count == 6


def test_refuses_a_folder_without_annotations_and_a_name_in_an_old_encoding(tmp_path):
    assert detect(tmp_path) == ""
    with pytest.raises(UserError, match="no XML file"):
        load(tmp_path)
    (tmp_path / "Annotations").mkdir()
    (tmp_path / os.fsdecode(b"Annotations/k\xe4se.xml")).write_text("<annotation/>")
    with pytest.raises(UserError, match="not UTF-8"):
        load(tmp_path)


def record(name="a b", classes=1, **more):
    boxes = np.array([[1, 2, 30.5, 40]], np.float32)
    labels = np.array([classes - 1])
    return Record(name=name, split="train", image=b"\xff\xd8", width=64, height=48, boxes=boxes, labels=labels, **more)


def test_writes_what_vocs_own_tools_read(tmp_path):
    flags = {
        "difficult": np.array([True]),
        "truncated": np.array([0.3], np.float32),
        "occluded": np.array([2], np.int8),
    }
    save([record(**flags)], ("cat",), tmp_path)
    root = parse(tmp_path / "Annotations/a b.xml").getroot()
    assert [root.findtext(path) for path in ("folder", "filename", "size/width", "size/height", "size/depth")] == [
        "JPEGImages",
        "a b.jpg",
        "64",
        "48",
        "3",
    ]
    item = root.find("object")
    fields = ("name", "difficult", "truncated", "occluded", "bndbox/xmin", "bndbox/ymin", "bndbox/xmax", "bndbox/ymax")
    assert [item.findtext(field) for field in fields] == ["cat", "1", "1", "1", "1", "2", "30.5", "40"]
    assert (tmp_path / "JPEGImages/a b.jpg").read_bytes() == b"\xff\xd8"
    assert (tmp_path / "ImageSets/Main/train.txt").read_text() == "a b\n"


@pytest.mark.parametrize(
    ("name", "label"), [("a\nb", "cat"), (" a", "cat"), ("a", "c\x01at"), ("a", " cat"), ("a", ""), ("a", "\ud800")]
)
def test_refuses_to_write_names_that_would_not_come_back(tmp_path, name, label):
    with pytest.raises(UserError, match="Pascal VOC cannot hold"):
        save([record(name)], (label,), tmp_path)


def xml(label="cat", filename="x"):
    return f"<annotation><filename>{filename}</filename>{object_xml(label, 1, 2, 3, 4)}</annotation>"


@pytest.mark.parametrize(
    ("files", "splits"),
    [
        ({"annotations/a.xml": xml(), "images/a.png": None}, {"a": ""}),
        ({"a.xml": xml(), "a.jpg": None}, {"a": ""}),
        (
            {"train/a.xml": xml(), "train/a.jpg": None, "valid/b.xml": xml(), "valid/b.jpg": None},
            {"a": "train", "b": "val"},
        ),
        ({"day/1.xml": xml(filename="one.jpg"), "day/one.jpg": None}, {"day/one": ""}),
    ],
    ids=["images/ and annotations/", "side by side", "roboflow", "by the annotation's entry"],
)
def test_reads_the_layouts_of_other_tools(tmp_path, files, splits):
    raw = load(write_files(tmp_path, files))
    assert detect(tmp_path)
    assert splits_of(raw) == splits
    assert all(picture.content.is_file() for picture in raw.pictures)
    assert all(boxes_of(raw, name) == [("cat", (1, 2, 3, 4))] for name in splits)


def test_of_two_annotations_that_state_one_picture_none_is_lost(tmp_path):
    """The second keeps its own name, and its picture is then reported as missing."""
    files = {"Annotations/a_cats.xml": xml("cat", "a.jpg"), "Annotations/a_dogs.xml": xml("dog", "a.jpg")}
    raw = load(write_files(tmp_path, files | {"JPEGImages/a.jpg": None}))
    assert {picture.name: [box.label for box in picture.labels().boxes] for picture in raw.pictures} == {
        "a": ["cat"],
        "a_dogs": ["dog"],
    }


def test_xml_of_another_kind_is_no_annotation(tmp_path):
    assert detect(write_files(tmp_path, {"pom.xml": "<project/>", "broken.xml": "<a", "a.jpg": None})) == ""
