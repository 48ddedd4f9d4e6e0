import pytest

from netwright.data.formats.voc import load
from netwright.errors import UserError
from tests.data.miniature import BOXES, OWN_SPLITS, object_xml, write_picture, write_voc, write_xml


@pytest.fixture
def voc(tmp_path):
    return write_voc(tmp_path / "voc", OWN_SPLITS)


def _splits(raw):
    return {picture.name: picture.split for picture in raw.pictures}


def test_reads_boxes_classes_and_own_splits(voc):
    raw = load(voc, seed=0)
    first, second = list(raw.pictures)[:2]
    assert (raw.format, raw.classes, raw.count) == ("voc", ("cat", "dog"), 6)
    assert [(box.label, box.corners) for box in second.boxes] == [("cat", BOXES["cat"]), ("dog", BOXES["dog"])]
    assert first.declared_size == (64, 48)
    assert first.source == "Annotations/img0.xml"
    assert _splits(raw) == {name: split for split, names in OWN_SPLITS.items() for name in names}
    assert "split files of ImageSets/Main used: train, val, test" in raw.notes


def test_corners_are_taken_as_written(voc):
    write_xml(voc, "img0", object_xml("cat", 1, 1, 64.5, 48))
    assert next(iter(load(voc, seed=0).pictures)).boxes[0].corners == (1.0, 1.0, 64.5, 48.0)


def test_divides_by_hash_where_there_are_no_split_files_and_says_so(tmp_path):
    folder = write_voc(tmp_path / "voc", None)
    for number in range(6, 60):
        write_picture(folder, f"img{number}", ["cat"])
    raw = load(folder, seed=0)
    assert set(_splits(raw).values()) == {"train", "val", "test"}
    assert any("no train.txt" in note and "hash" in note for note in raw.notes)
    write_picture(folder, "another", ["cat"])
    assert _splits(load(folder, seed=0)) | {"another": ""} == _splits(raw) | {"another": ""}
    assert _splits(load(folder, seed=1)) != _splits(load(folder, seed=0))


def test_takes_a_missing_split_from_train(tmp_path):
    folder = write_voc(tmp_path / "voc", None)
    for number in range(6, 60):
        write_picture(folder, f"img{number}", ["cat"])
    (folder / "ImageSets/Main/train.txt").write_text("".join(f"img{number}\n" for number in range(50)))
    (folder / "ImageSets/Main/val.txt").write_text("".join(f"img{number}\n" for number in range(50, 58)))
    raw = load(folder, seed=0)
    splits = _splits(raw)
    assert [splits[f"img{number}"] for number in range(50, 58)] == ["val"] * 8
    assert {splits[f"img{number}"] for number in range(50)} == {"train", "test"}
    assert any("no test.txt" in note for note in raw.notes)
    assert "2 annotated pictures are in no split file and left out" in raw.notes


def test_a_picture_may_carry_no_object(voc):
    write_xml(voc, "img0", "")
    assert next(iter(load(voc, seed=0).pictures)).boxes == ()


BROKEN = {
    "cut off": (b"<annotation><object>", "readable XML"),
    "binary": (b"\x00\xff\x00", "readable XML"),
    "entity bomb": (b'<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>', "readable XML"),
    "another root": (b"<html/>", "<html>"),
    "no bndbox": (b"<annotation><object><name>cat</name></object></annotation>", "bndbox"),
    "not a number": (
        f"<annotation>{object_xml('cat', 'one', 2, 3, 4)}</annotation>".encode(),
        "could not convert",
    ),
    "missing number": (f"<annotation>{object_xml('cat', '', 2, 3, 4)}</annotation>".encode(), "could not convert"),
    "path in the file name": (b"<annotation><filename>../../etc/passwd</filename></annotation>", "plain file name"),
    "absolute file name": (b"<annotation><filename>/etc/passwd</filename></annotation>", "plain file name"),
    "windows path": (b"<annotation><filename>..\\a.jpg</filename></annotation>", "plain file name"),
}


@pytest.mark.parametrize(("content", "message"), BROKEN.values(), ids=BROKEN)
def test_refuses_a_broken_annotation_naming_the_file(voc, content, message):
    (voc / "Annotations/img1.xml").write_bytes(content)
    with pytest.raises(UserError, match=r"img1\.xml") as caught:
        load(voc, seed=0)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_a_missing_picture(voc):
    (voc / "JPEGImages/img4.jpg").unlink()
    with pytest.raises(UserError, match=r"img4\.xml is missing"):
        load(voc, seed=0)


def test_finds_the_picture_by_the_annotations_name_where_its_own_entry_is_wrong(voc):
    write_xml(voc, "img0", object_xml("cat", 1, 2, 3, 4), filename="other.jpg")
    assert next(iter(load(voc, seed=0).pictures)).content.name == "img0.jpg"


@pytest.mark.parametrize(
    ("line", "message"),
    [("img9", "img9.xml is missing"), ("../img0", "plain file name"), ("img3", "both val.txt and test.txt")],
)
def test_refuses_wrong_split_files(voc, line, message):
    (voc / "ImageSets/Main/test.txt").write_text(f"img4\n{line}\n")
    with pytest.raises(UserError, match=message):
        load(voc, seed=0)


def test_refuses_a_folder_without_annotations(tmp_path):
    with pytest.raises(UserError, match="no XML file"):
        load(tmp_path, seed=0)
