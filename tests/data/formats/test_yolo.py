import os

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netwright.artifacts.dataset import Record
from netwright.data.conversion.raw import RawBox
from netwright.data.feeding.preprocess import decode_picture
from netwright.data.formats.picture_header import any_size
from netwright.data.formats.yolo import detect, load, save
from netwright.data.formats.yolo_labels import read_labels, upright_size
from netwright.errors import UserError
from tests.data.encoded_pictures import encode, scene, turned
from tests.data.formats.miniature_files import boxes_of, splits_of, write_files, write_picture

# half of a picture of 100 x 50 pixels, in its middle
BOX = "1 0.5 0.5 0.5 0.5\n"
CORNERS = (25, 12.5, 75, 37.5)
NAMES = "names: [cat, dog]\n"


def _dataset(folder, names, data="train: images/train\nval: images/val\n" + NAMES):
    files = {name: BOX if name.endswith(".txt") else None for name in names}
    return write_files(folder, files | {"data.yaml": data})


ULTRALYTICS = ["images/train/a.jpg", "labels/train/a.txt", "images/val/s/b.jpg", "labels/val/s/b.txt"]
ROBOFLOW = ["train/images/a.jpg", "train/labels/a.txt", "valid/images/b.jpg", "valid/labels/b.txt"]
LAYOUTS = {
    "Ultralytics": (ULTRALYTICS, "train: images/train\nval: images/val\n"),
    "its path is another machine's": (ULTRALYTICS, "path: /content/pets\ntrain: images/train\nval: images/val\n"),
    "its path leads out": (ULTRALYTICS, "path: ../datasets/pets\ntrain: images/train\nval: images/val\n"),
    "its path is here": (ULTRALYTICS, "path: images\ntrain: train\nval: val\n"),
    "Windows": (ULTRALYTICS, "train: .\\images\\train\r\nval: images\\val\r\ntest:\r\n"),
    "lists of folders": (ULTRALYTICS, "train: [images/train]\nval:\n  - images/val/s\n"),
    "Roboflow": (ROBOFLOW, "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n"),
    "the folder above images": (ROBOFLOW, "train: train\nval: valid\n"),
    "without entries": (ROBOFLOW, ""),
}


@pytest.mark.parametrize(("files", "data"), LAYOUTS.values(), ids=LAYOUTS)
def test_knows_the_usual_folders_and_data_yaml(tmp_path, files, data):
    raw = load(_dataset(tmp_path, files, data + NAMES))
    second = "s/b" if "images/val/s/b.jpg" in files else "b"
    assert splits_of(raw) == {"a": "train", second: "val"}
    assert boxes_of(raw, "a") == boxes_of(raw, second) == [("dog", CORNERS)]
    assert (raw.format, raw.classes, raw.count) == ("yolo", ("cat", "dog"), 2)
    assert detect(tmp_path) == "data.yaml names 2 classes"
    assert ("test in data.yaml is not there and ignored" in raw.notes) == ("test: ../test" in data)
    assert any("path in data.yaml" in note for note in raw.notes) == ("path: ../" in data or "path: /" in data)


def test_txt_files_may_list_the_pictures(tmp_path):
    lists = {"train.txt": "./images/a.jpg\r\n", "lists/val.txt": "images\\b.jpg\n../images/c.jpg\n"}
    write_files(tmp_path, {"images/a.jpg": None, "images/b.jpg": None, "labels/a.txt": BOX, "labels/b.txt": BOX})
    write_files(tmp_path, lists | {"data.yaml": "train: train.txt\nval: lists/val.txt\n" + NAMES})
    with pytest.raises(UserError, match=r"lists/val\.txt, line 2 names the file '\.\./images/c\.jpg'"):
        load(tmp_path)
    write_files(tmp_path, {"lists/val.txt": "images/b.jpg\nimages/c.jpg\n"})
    raw = load(tmp_path)
    assert splits_of(raw) == {"a": "train", "b": "val", "c": "val"}
    c = next(picture for picture in raw.pictures if picture.name == "c")
    assert not c.content.exists()
    assert c.labels is None


def test_darknets_pictures_and_labels_lie_together(tmp_path):
    files = {"obj_train_data/a.jpg": None, "obj_train_data/a.txt": BOX, "obj_valid_data/b.jpg": None}
    raw = load(
        write_files(tmp_path, files | {"obj_valid_data/b.txt": BOX, "obj.names": "cat\ndog\n\n", "train.txt": ""})
    )
    assert splits_of(raw) == {"a": "train", "b": "val"}
    assert boxes_of(raw, "a") == [("dog", CORNERS)]
    assert raw.notes[0] == "classes are named by obj.names"
    assert "obj_train_data/a.txt" in detect(tmp_path)


def test_labelimgs_list_of_classes_is_no_label(tmp_path):
    raw = load(write_files(tmp_path, {"images/a.jpg": None, "labels/a.txt": BOX, "labels/classes.txt": "cat\ndog\n"}))
    assert splits_of(raw) == {"a": ""}
    assert raw.classes == ("cat", "dog")


def test_classes_without_names_are_called_by_their_numbers(tmp_path):
    raw = load(write_files(tmp_path, {"images/a.jpg": None, "labels/a.txt": BOX}))
    assert raw.classes == ()
    assert boxes_of(raw, "a") == [("1", CORNERS)]
    assert "no data.yaml, classes.txt or *.names: classes are called by their numbers" in raw.notes


NAMED = {
    "map": ("names: {0: cat, 1: dog}", ("cat", "dog")),
    "map in another order": ("names:\n  1: dog\n  0: cat\n", ("cat", "dog")),
    "map with a gap": ("names: {0: cat, 2: dog}", ("cat", "1", "dog")),
    "words that YAML takes for others": ("names: [yes, no, null, 1.0, 007]", ("yes", "no", "null", "1.0", "007")),
    "two of one name": ("names: [cat, dog, cat]", ("cat", "dog")),
    "not ASCII": ("names: [Fußgänger, 猫]", ("Fußgänger", "猫")),
    "number alone": ("nc: 3", ("0", "1", "2")),
    "number that agrees": ("nc: 2\nnames: [cat, dog]", ("cat", "dog")),
}


@pytest.mark.parametrize(("data", "classes"), NAMED.values(), ids=NAMED)
def test_names_are_read_as_written(tmp_path, data, classes):
    assert load(_dataset(tmp_path, ["images/a.jpg", "labels/a.txt"], data)).classes == classes


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
BROKEN = {
    "nc and names differ": ("nc: 3\nnames: [cat, dog]", "says nc: 3, but names 2 classes"),
    "names are a number": ("names: 2", "neither a list of texts nor a map"),
    "names in names": ("names: [[cat]]", "neither a list of texts nor a map"),
    "name of no number": ("names: {cat: 0}", "'cat' where the number of a class"),
    "a million classes": ("names: {1000000: cat}", "'1000000' where the number of a class"),
    "no YAML": ("names: [cat", "is not readable YAML"),
    "no map": ("- cat", "is not a map"),
    "circle": ("names: &a [*a]", "is not readable YAML"),
    "deep": ("[" * 5000, "is not readable YAML"),
    "binary": ("\0\0", "is not text"),
    "missing folder": (NAMES + "train: images/none", "which is not in"),
    "a name too long": (NAMES + f"path: {'a' * 5000}\ntrain: {'b' * 5000}", "below the dataset's own folder"),
    "folder of another": (NAMES + "train: ../other/images", "which is not in"),
    "absolute": (NAMES + "train: /etc", "below the dataset's own folder"),
    "drive": (NAMES + "train: C:\\data\\images", "below the dataset's own folder"),
    "way out in between": (NAMES + "train: images/../../etc", "below the dataset's own folder"),
    "a map of folders": (NAMES + "train: {a: images}", "a folder, a .txt file or a list"),
    "an empty name": ("names: [cat, '']", "printable characters"),
    "a name of control characters": ('names: ["\\e[31mcat"]', "printable characters"),
    "too large": ("names: [" + "cat, " * 100_000 + "]", "has more than 256 KiB"),
    "bomb of names": (BOMB + "names: *i", "neither a list of texts nor a map"),
    "bomb of entries": (NAMES + BOMB + "train: *i", "a folder, a .txt file or a list"),
    "kpt_shape": (NAMES + "kpt_shape: 17", "two numbers are expected"),
}


@pytest.mark.parametrize(("data", "message"), BROKEN.values(), ids=BROKEN)
def test_refuses_broken_settings_in_one_line(tmp_path, data, message):
    with pytest.raises(UserError) as caught:
        load(_dataset(tmp_path, ["images/a.jpg", "labels/a.txt"], data))
    assert message in str(caught.value)
    assert "data.yaml" in str(caught.value)
    assert len(str(caught.value)) < 500


def test_links_and_pipes_in_the_place_of_settings_are_not_read(tmp_path):
    write_files(tmp_path, {"outside.txt": "secret\n", "set/images/a.jpg": None, "set/labels/a.txt": BOX})
    os.mkfifo(tmp_path / "set/classes.txt")
    os.mkfifo(tmp_path / "set/data.yaml")
    assert load(tmp_path / "set").classes == ()
    for name, content in {"data.yaml": "", "classes.txt": "", "list.txt": "train: list.txt\n" + NAMES}.items():
        for path in (tmp_path / "set/data.yaml", tmp_path / "set/classes.txt", tmp_path / "set" / name):
            path.unlink(missing_ok=True)
        if content:
            (tmp_path / "set/data.yaml").write_text(content)
        (tmp_path / "set" / name).symlink_to("../outside.txt")
        with pytest.raises(UserError, match="outside the dataset's folder") as caught:
            load(tmp_path / "set")
        assert "secret" not in str(caught.value)


def test_yaml_never_runs_code(tmp_path):
    data = "names: !!python/object/apply:os.mkdir [" + str(tmp_path / "made") + "]"
    load(_dataset(tmp_path, ["images/a.jpg", "labels/a.txt"], data))
    assert not (tmp_path / "made").exists()


def test_another_tools_yaml_is_passed_over(tmp_path):
    write_files(
        tmp_path, {"ci.yaml": "[", "params.yaml": "train: {epochs: 3}", "pets.yaml": "train: images\nnames: [cat, dog]"}
    )
    raw = load(write_files(tmp_path, {"images/a.jpg": None, "labels/a.txt": BOX}))
    assert raw.classes == ("cat", "dog")
    assert detect(tmp_path) == "pets.yaml names 2 classes"


def test_val_that_is_train_again_is_ignored_and_said(tmp_path):
    data = "train: images\nval: images\n" + NAMES  # as Ultralytics' coco8 and coco128 do
    raw = load(_dataset(tmp_path, ["images/a.jpg", "labels/a.txt"], data))
    assert splits_of(raw) == {"a": ""}
    assert "data.yaml gives val the same pictures as train: val is ignored" in raw.notes


def test_a_picture_in_two_splits_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"images/val/a\.jpg is in train and val of data\.yaml"):
        load(_dataset(tmp_path, ["images/val/a.jpg", "labels/val/a.txt"], "train: images\nval: images/val\n" + NAMES))


def test_pictures_without_label_and_labels_without_picture_are_both_there(tmp_path):
    raw = load(_dataset(tmp_path, ["images/a.jpg", "labels/b.txt"], "train: images\n" + NAMES))
    a, b = raw.pictures
    assert a.labels is None
    assert b.content == tmp_path / "images/b.jpg"
    assert any(note.startswith("1 pictures have no label file") for note in raw.notes)


def _read(folder, line, *, names=("cat", "dog"), keypoints=0, picture="a.jpg"):
    (folder / "a.txt").write_text(line, "utf-8")
    return read_labels(folder / "a.txt", folder / picture, "a.txt", names=names, keypoints=keypoints).boxes


LINES = {
    "box": ("1 0.5 0.5 0.5 0.5", CORNERS),
    "box and score": ("1 0.5 0.5 0.5 0.5 0.9", CORNERS),
    "polygon": ("1 0.25 0.5 0.75 0.25 0.5 0.75", CORNERS),
    "oriented box": ("1 0.5 0.25 0.75 0.5 0.5 0.75 0.25 0.5", CORNERS),
    "class as 1.0": ("1.0 0.5 0.5 0.5 0.5\r\n", CORNERS),
    "outside": ("1 1.0 0.5 0.5 0.5", (75, 12.5, 125, 37.5)),
    "inverted": ("1 0.5 0.5 -0.5 0.5", (75, 12.5, 25, 37.5)),
}


@pytest.mark.parametrize(("line", "corners"), LINES.values(), ids=LINES)
def test_shares_become_pixels(tmp_path, line, corners):
    write_picture(tmp_path / "a.jpg")
    assert _read(tmp_path, line) == (RawBox(label="dog", corners=corners),)


def test_keypoints_are_told_from_polygons_by_kpt_shape(tmp_path):
    line = "1 0.5 0.5 0.5 0.5 " + "0.9 0.9 2 " * 17
    data = "train: images\nkpt_shape: [17, 3]\n" + NAMES
    raw = load(write_files(tmp_path, {"images/a.jpg": None, "labels/a.txt": line, "data.yaml": data}))
    assert boxes_of(raw, "a") == [("dog", CORNERS)]


@pytest.mark.parametrize(("orientation", "corners"), [(1, CORNERS), (3, CORNERS), (6, (12.5, 25, 37.5, 75))])
def test_shares_are_of_the_upright_picture(tmp_path, orientation, corners):
    write_picture(tmp_path / "a.jpg", orientation=orientation)
    assert _read(tmp_path, BOX)[0].corners == corners


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_the_size_that_shares_are_of_is_that_of_the_decoded_picture(tmp_path, kind, orientation):
    """Pillow swaps a TIFF's size when it opens it, and that of others never."""
    content = encode(scene(), kind, exif=turned(orientation))
    (tmp_path / "a").write_bytes(content)
    height, width, _ = decode_picture(content).shape
    assert upright_size(tmp_path / "a", "a.txt") == any_size(content, "a") == (width, height)


def test_a_class_number_without_a_name_is_an_unknown_class(tmp_path):
    write_picture(tmp_path / "a.jpg")
    assert _read(tmp_path, "2 0.5 0.5 0.5 0.5")[0].label == "class 2"
    assert np.isnan(_read(tmp_path, "1 nan 0.5 0.5 0.5")[0].corners[0])


def test_an_empty_label_needs_no_picture(tmp_path):
    assert _read(tmp_path, "\ufeff\r\n \n", picture="none.jpg") == ()


WRONG = {
    "KITTI": ("car 0 0 0 1 2 30 40 0 0 0 0 0 0 0", "text where a number belongs"),
    "too few": ("0 0.5 0.5", "has 3 fields"),
    "half a point": ("0 0.5 0.5 0.5 0.5 0.5 0.5 0.5", "has 8 fields"),
    "class below 0": ("-1 0.5 0.5 0.5 0.5", "class number from 0"),
    "class between": ("0.5 0.5 0.5 0.5 0.5", "class number from 0"),
    "class nan": ("nan 0.5 0.5 0.5 0.5", "class number from 0"),
}


@pytest.mark.parametrize(("line", "message"), WRONG.values(), ids=WRONG)
def test_refuses_a_broken_line_naming_it(tmp_path, line, message):
    write_picture(tmp_path / "a.jpg")
    with pytest.raises(UserError, match=r"^a\.txt, line 2 ") as caught:
        _read(tmp_path, BOX + line)
    assert message in str(caught.value)


@pytest.mark.parametrize("content", [None, b"", b"no picture", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"])
def test_refuses_a_picture_whose_size_cannot_be_read(tmp_path, content):
    if content is not None:
        (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(UserError, match=r"picture"):
        _read(tmp_path, BOX)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.text(alphabet="0123456789.-+eninfa \t\n", max_size=80))
def test_any_text_is_read_or_refused(tmp_path, content):
    write_picture(tmp_path / "a.png", size=(4, 4))
    try:
        boxes = _read(tmp_path, content, picture="a.png")
    except UserError:
        return
    assert all(len(box.corners) == 4 for box in boxes)


def _record(name, split="train", size=(333, 77)):
    return Record(
        name=name,
        split=split,
        image=b"\xff\xd8\xff the bytes",
        width=size[0],
        height=size[1],
        boxes=np.array([[0, 1.5, 333, 77], [10.25, 11, 12, 13]], dtype=np.float32),
        labels=np.array([1, 0]),
    )


def test_writes_data_yaml_last_and_shares_by_hand(tmp_path):
    save([_record("a", size=(400, 100)), _record("images/ü", "val")], ["no", "Fußgänger"], tmp_path)
    lines = (tmp_path / "labels/train/a.txt").read_text().splitlines()
    assert (
        lines[0] == "1 0.41625 0.3925 0.8325 0.755"
    )  # (0 + 333) / 2 / 400, (1.5 + 77) / 2 / 100, 333 / 400, 75.5 / 100
    assert (tmp_path / "images/train/a.jpg").read_bytes() == _record("a").image
    assert (tmp_path / "images/val/labels/ü.txt").is_file()  # where Ultralytics looks: the last "images" is replaced
    data = yaml.safe_load((tmp_path / "data.yaml").read_text("utf-8"))
    assert data == {"train": "images/train", "val": "images/val", "names": {0: "no", 1: "Fußgänger"}}


def test_what_was_written_is_read_with_the_same_names_splits_and_boxes(tmp_path):
    records = [_record("a"), _record("images/ü", "val"), _record("val/b c", "test")]
    save(records, ["no", "Fußgänger"], tmp_path)
    for record in records:
        path = tmp_path / "images" / record.split / f"{record.name}.jpg"
        write_picture(path, size=(333, 77))
    raw = load(tmp_path)
    assert splits_of(raw) == {record.name: record.split for record in records}
    for picture in raw.pictures:
        boxes = picture.labels().boxes
        assert [box.label for box in boxes] == ["Fußgänger", "no"]
        assert np.array_equal(np.float32([box.corners for box in boxes]), records[0].boxes)


def test_writes_no_file_outside_the_folder(tmp_path):
    with pytest.raises(UserError, match="below the dataset's own folder"):
        save([_record("../../../a")], ["no"], tmp_path / "inner/folder")
    assert not list(tmp_path.rglob("a.*"))


def test_says_what_was_looked_for(tmp_path):
    assert detect(tmp_path) == ""
    with pytest.raises(UserError, match=r"looked for data\.yaml with names, or labels/\*\.txt"):
        load(tmp_path)
