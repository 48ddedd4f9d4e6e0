import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netwright.artifacts.dataset import Record
from netwright.data.conversion.raw import RawBox
from netwright.data.formats.kitti import detect, load, save
from netwright.data.formats.kitti_labels import read_labels
from netwright.errors import UserError
from tests.data.formats.miniature_files import boxes_of, splits_of, write_files

# the development kit's own example of a label file (training/label_2/000001.txt)
DEVKIT = """\
Truck 0.00 0 -1.57 599.41 156.40 629.75 189.25 2.85 2.63 12.34 0.47 1.49 69.44 -1.56
Car 0.00 0 1.85 387.63 181.54 423.81 203.12 1.67 1.87 3.69 -16.53 2.39 58.49 1.57
Cyclist 0.90 3 -1.65 676.60 163.95 688.98 193.93 1.86 0.60 2.02 4.59 1.32 45.84 -1.55
DontCare -1 -1 -10 503.89 169.71 590.61 190.13 -1 -1 -1 -1000 -1000 -1000 -10
"""
CAR = "car 0 0 0 1 2 30 40 0 0 0 0 0 0 0\n"


def test_reads_the_development_kits_own_label(tmp_path):
    raw = load(write_files(tmp_path, {"image_2/000001.png": None, "label_2/000001.txt": DEVKIT}))
    (picture,) = raw.pictures
    truck, car, cyclist, dont_care = picture.labels().boxes
    assert truck == RawBox(label="Truck", corners=(599.41, 156.40, 629.75, 189.25))
    assert car.corners == (387.63, 181.54, 423.81, 203.12)
    assert (cyclist.truncated, cyclist.occluded) == (0.9, 3)
    assert dont_care == RawBox(label="DontCare", corners=(503.89, 169.71, 590.61, 190.13), crowd=True)
    assert (raw.format, raw.classes, raw.count) == ("kitti", (), 1)
    assert (picture.name, picture.source) == ("000001", "label_2/000001.txt")
    assert any("3D" in note and "score" in note for note in raw.notes)
    assert any("DontCare" in note and "crowd" in note for note in raw.notes)


LAYOUTS = {
    "TAO": (["images/a.jpg", "labels/a.txt"], {"a": ""}),
    "benchmark": (["training/image_2/a.png", "training/label_2/a.txt", "testing/image_2/a.png"], {"a": ""}),
    "a folder for each split": (
        ["train/images/a.jpg", "train/labels/a.txt", "valid/images/b.jpg", "valid/labels/b.txt"],
        {"a": "train", "b": "val"},
    ),
    "splits inside": (
        ["images/train/a.jpg", "labels/train/a.txt", "images/testing/s/b.jpg", "labels/testing/s/b.txt"],
        {"a": "train", "s/b": "test"},
    ),
    "one name in two splits": (
        ["train/images/1.jpg", "train/labels/1.txt", "val/images/1.jpg", "val/labels/1.txt"],
        {"train/1": "train", "val/1": "val"},
    ),
    "other folders": (
        ["north/images/1.jpg", "north/labels/1.txt", "south/images/1.jpg", "south/labels/1.txt"],
        {"north/1": "", "south/1": ""},
    ),
    "case": (["Images/a b.JPG", "LABELS/a b.TXT", "Images/ü.Jpeg", "LABELS/ü.txt"], {"a b": "", "ü": ""}),
    "accents composed and not": (["images/u\u0308.jpg", "labels/\u00fc.txt"], {"\u00fc": ""}),
}


@pytest.mark.parametrize(("files", "splits"), LAYOUTS.values(), ids=LAYOUTS)
def test_knows_the_usual_folders(tmp_path, files, splits):
    folder = write_files(tmp_path, {name: CAR if name.lower().endswith(".txt") else None for name in files})
    raw = load(folder)
    assert splits_of(raw) == splits
    assert all(boxes_of(raw, name) == [("car", (1, 2, 30, 40))] for name in splits)
    assert all(picture.content.is_file() for picture in raw.pictures)
    assert "15 fields" in detect(folder)


def test_nothing_is_opened_before_labels_are_asked_for(tmp_path):
    folder = write_files(tmp_path, {"images/a.jpg": b"no picture", "labels/a.txt": "no label"})
    (picture,) = load(folder).pictures
    with pytest.raises(UserError, match=r"^labels/a\.txt, line 1 has 2 fields"):
        pickle.loads(pickle.dumps(picture)).labels()


def test_state_changes_with_the_label(tmp_path):
    raw = load(write_files(tmp_path, {"images/a.jpg": None, "labels/a.txt": CAR}))
    before = next(iter(raw.pictures)).state
    assert next(iter(raw.pictures)).state == before
    write_files(tmp_path, {"labels/a.txt": CAR + CAR})
    assert next(iter(raw.pictures)).state != before


def test_a_picture_without_label_and_a_label_without_picture_are_both_there(tmp_path):
    raw = load(
        write_files(tmp_path, {"images/a.jpg": None, "images/b.jpg": None, "labels/b.txt": "", "labels/c.txt": CAR})
    )
    a, b, c = raw.pictures
    assert a.labels is None
    assert a.source == "images/a.jpg"
    assert b.labels().boxes == ()
    assert c.content == tmp_path / "images/c.jpg"
    assert not c.content.exists()


def test_two_pictures_of_one_name_both_come(tmp_path):
    raw = load(write_files(tmp_path, {"images/a.jpg": None, "images/a.png": None, "labels/a.txt": CAR}))
    assert [picture.name for picture in raw.pictures] == ["a", "a"]
    assert raw.count == 2


LINES = {
    "score": ("car 0 0 0 1 2 30 40 0 0 0 0 0 0 0 0.93", "car"),
    "class of two words": ("traffic light 0 0 0 1 2 30 40 0 0 0 0 0 0 0", "traffic light"),
    "class that is a number": ("7 0 0 0 1 2 30 40 0 0 0 0 0 0 0", "7"),
    "tabs": ("car\t0\t0\t0\t1\t2\t30\t40\t0\t0\t0\t0\t0\t0\t0", "car"),
    "not ASCII": ("Fußgänger 0 0 0 1 2 30 40 0 0 0 0 0 0 0", "Fußgänger"),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(("line", "label"), LINES.values(), ids=LINES)
def test_reads_lines_of_any_encoding_and_end(tmp_path, line, label, end, encoding):
    (tmp_path / "a.txt").write_bytes(f"{line}{end}{end}{line}".encode(encoding))
    assert read_labels(tmp_path / "a.txt", "a.txt").boxes == (RawBox(label=label, corners=(1, 2, 30, 40)),) * 2


def test_odd_numbers_are_left_to_the_rules_but_attributes_stay_in_their_range(tmp_path):
    (tmp_path / "a.txt").write_text("car 7 -4 0 nan 2 inf -40 0 0 0 0 0 0 0\ncar nan 9 0 1 2 3 4 0 0 0 0 0 0 0\n")
    first, second = read_labels(tmp_path / "a.txt", "a.txt").boxes
    assert np.isnan(first.corners[0])
    assert first.corners[2:] == (np.inf, -40)
    assert [(box.truncated, box.occluded) for box in (first, second)] == [(1, 0), (0, 3)]


BROKEN = {
    "too few fields": (b"car 0 0 0 1 2 30 40", "has 8 fields"),
    "too many fields": (CAR.strip().encode() + b" 1 2", "has 17 fields"),
    "YOLO": (b"0 0.5 0.5 0.1 0.1", "KITTI has 15"),
    "text for a number": (b"car 0 0 0 1 2 x 40 0 0 0 0 0 0 0", "text where a number belongs"),
    "binary": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is not text"),
    "line of control characters": (b"\x1b[31mcar\x07", "'\\x1b[31mcar\\x07'"),
    "long line": (b"car " * 10_000, "..."),
    "long class": (b"car " * 100 + CAR.encode(), "up to 200 printable characters"),
    "class of control characters": (b"\x1b[31m" + CAR.encode(), "up to 200 printable characters"),
}


@pytest.mark.parametrize(("content", "message"), BROKEN.values(), ids=BROKEN)
def test_refuses_a_broken_label_in_one_line(tmp_path, content, message):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(UserError, match=r"^labels/a\.txt") as caught:
        read_labels(tmp_path / "a.txt", "labels/a.txt")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_are_read_or_refused(tmp_path, content):
    (tmp_path / "a.txt").write_bytes(content)
    try:
        labels = read_labels(tmp_path / "a.txt", "a.txt")
    except UserError:
        return
    assert all(0 <= box.truncated <= 1 and 0 <= box.occluded <= 3 for box in labels.boxes)


def test_image_sets_divide_where_no_folder_does(tmp_path):
    files = {f"training/image_2/{name}.png": None for name in "abcd"}
    files |= {f"training/label_2/{name}.txt": CAR for name in "abcd"}
    lists = {"ImageSets/train.txt": "a\r\nb\r\n", "ImageSets/val.txt": "c\n", "ImageSets/test.txt": "a\n"}
    raw = load(write_files(tmp_path, files | lists | {"testing/image_2/a.png": None}))
    assert splits_of(raw) == {"a": "train", "b": "train", "c": "val"}
    assert "1 pictures are in none of the splits and left out" in raw.notes


@pytest.mark.parametrize(
    ("lists", "message"),
    [({"train": "a\nz\n"}, "lists 'z', which has no label"), ({"train": "a\n", "val": "a\n"}, "train.txt and val.txt")],
)
def test_refuses_wrong_image_sets(tmp_path, lists, message):
    write_files(tmp_path, {"images/a.jpg": None, "labels/a.txt": CAR})
    write_files(tmp_path, {f"ImageSets/{split}.txt": content for split, content in lists.items()})
    with pytest.raises(UserError, match=message):
        load(tmp_path)


def test_taos_sequences_are_groups(tmp_path):
    write_files(
        tmp_path, {f"{part}/{name}.{end}": CAR for name in "ab" for part, end in (("images", "jpg"), ("labels", "txt"))}
    )
    write_files(tmp_path, {"kitti_seq_to_map.json": '{"7": ["a"]}'})
    assert {picture.name: picture.group for picture in load(tmp_path).pictures} == {"a": "7", "b": ""}
    write_files(tmp_path, {"kitti_seq_to_map.json": '["a"]'})
    with pytest.raises(UserError, match=r"kitti_seq_to_map\.json is not a map"):
        load(tmp_path)


def test_the_benchmarks_drives_are_groups(tmp_path):
    files = {f"training/image_2/00000{number}.png": None for number in range(3)}
    files |= {f"training/label_2/00000{number}.txt": CAR for number in range(3)}
    drives = "2011_09_26 2011_09_26_drive_0005_sync 0000000109\n2011_09_28 2011_09_28_drive_0106_sync 0000000048\n"
    write_files(
        tmp_path, files | {"devkit/mapping/train_mapping.txt": drives, "devkit/mapping/train_rand.txt": "2,1,2"}
    )
    groups = {picture.name: picture.group for picture in load(tmp_path).pictures}
    first, second = "2011_09_26_drive_0005_sync", "2011_09_28_drive_0106_sync"
    assert groups == {"000000": second, "000001": first, "000002": second}
    write_files(tmp_path, {"devkit/mapping/train_rand.txt": "3,1,2"})
    load(tmp_path)  # the file ends in a line feed: line 3 is there and empty
    write_files(tmp_path, {"devkit/mapping/train_rand.txt": "4,1"})
    with pytest.raises(UserError, match=r"train_rand\.txt and train_mapping\.txt do not tell the drives"):
        load(tmp_path)


def test_the_benchmarks_test_pictures_are_left_out_and_said(tmp_path):
    files = {"training/image_2/a.png": None, "training/label_2/a.txt": CAR, "testing/image_2/a.png": None}
    raw = load(write_files(tmp_path, files))
    assert "testing: pictures without a folder of labels beside them are left out" in raw.notes


def test_a_split_without_any_label_is_left_out_and_said(tmp_path):
    files = {"images/train/a.jpg": None, "labels/train/a.txt": CAR, "images/val/b.jpg": None, "labels/val/b.txt": CAR}
    raw = load(write_files(tmp_path, files | {"images/test/c.jpg": None}))
    assert set(splits_of(raw)) == {"a", "b"}
    assert "test: its 1 pictures have no label at all and are left out" in raw.notes


def test_says_what_was_looked_for(tmp_path):
    with pytest.raises(UserError, match=r"looked for images/ or image_2/ beside labels/ or label_2/"):
        load(tmp_path)
    with pytest.raises(UserError, match=r"no \*\.txt in labels"):
        load(write_files(tmp_path, {"images/a.jpg": None, "labels/a.xml": ""}))
    assert detect(tmp_path) == ""


def _record(name, *, labels=(0,), crowd=(False,)):
    boxes = np.array([[0.1, 1 / 3, 30.7, 40]] * len(labels), dtype=np.float32)
    return Record(
        name=name,
        split="train",
        image=b"\x89PNG\r\n\x1a\n the bytes",
        width=100,
        height=50,
        boxes=boxes,
        labels=np.array(labels),
        crowd=np.array(crowd),
        truncated=np.full(len(labels), 1 / 3, dtype=np.float32),
        occluded=np.full(len(labels), 2, dtype=np.int8),
    )


def test_writes_15_fields_and_the_pictures_bytes(tmp_path):
    save([_record("s/ü 1", labels=(1, 0), crowd=(False, True))], ["car", "dog"], tmp_path)
    assert (tmp_path / "train/image_2/s/ü 1.png").read_bytes() == _record("").image
    lines = (tmp_path / "train/label_2/s/ü 1.txt").read_text("utf-8").splitlines()
    assert lines[0] == "dog 0.33333334 2 -10 0.1 0.33333334 30.7 40.0 -1 -1 -1 -1000 -1000 -1000 -10"
    assert [line.split()[0] for line in lines] == ["dog", "DontCare"]
    assert [len(line.split()) for line in lines] == [15, 15]


def test_refuses_to_write_what_kitti_cannot_hold(tmp_path):
    with pytest.raises(UserError, match="'traffic light', it has a space"):
        save([], ["traffic light"], tmp_path)
    with pytest.raises(UserError, match="below the dataset's own folder"):
        save([_record("../../a")], ["car"], tmp_path / "inner/folder")
    assert not (tmp_path / "a.png").exists()
