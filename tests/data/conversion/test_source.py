import pytest

from netwright.data.conversion.source import EMBEDDED, FORMATS, detect_format, load_raw
from netwright.errors import UserError
from tests.data.formats.miniature_files import splits_of, write_files

SCENES = {"train": 2, "val": 1, "test": 1}
CAR = "car 0 0 0 1 2 30 40 0 0 0 0 0 0 0\n"
COCO = """{"images": [{"id": 1, "file_name": "a.jpg", "width": 100, "height": 50}], "annotations": [],
"categories": [{"id": 1, "name": "cat"}]}"""
XML = "<annotation><object><name>cat</name></object></annotation>"
FOLDERS = {
    "kitti": {"images/a.jpg": None, "labels/a.txt": CAR},
    "yolo": {"images/a.jpg": None, "labels/a.txt": "0 0.5 0.5 0.5 0.5"},
    "voc": {"JPEGImages/a.jpg": None, "Annotations/a.xml": XML},
    "coco": {"images/a.jpg": None, "annotations/instances_train2017.json": COCO},
}


def _load(source, format_name):
    return load_raw(source, format_name, scenes=SCENES, size=320, seed=0)


@pytest.mark.parametrize("inner", ["", "pets-v2/export"])
@pytest.mark.parametrize("format_name", FOLDERS)
def test_auto_says_which_format_and_why(tmp_path, format_name, inner):
    write_files(tmp_path / inner, FOLDERS[format_name])
    found, reason, folder = detect_format(tmp_path)
    assert (found, folder) == (format_name, tmp_path / inner)
    assert reason.startswith(f"in {inner}/ ") == bool(inner)
    assert str(tmp_path) not in reason
    assert _load(tmp_path, "auto").notes[0] == f"format {format_name}, because {reason}"
    assert _load(tmp_path, format_name).count == _load(tmp_path, "auto").count


def test_polygons_of_seven_points_are_not_taken_for_kitti(tmp_path):
    write_files(tmp_path, {"images/a.jpg": None, "labels/a.txt": "0" + " 0.5" * 14, "labels/0.txt": ""})
    assert detect_format(tmp_path)[0] == "yolo"
    write_files(tmp_path, {"labels/a.txt": "7 0 0 0 1 2 30 40 0 0 0 0 0 0 0"})
    assert detect_format(tmp_path)[0] == "kitti"


def test_only_a_folder_that_is_alone_is_entered(tmp_path):
    files = {
        "train/images/a.jpg": None,
        "train/labels/a.txt": "0 0.5 0.5 0.5 0.5",
        "data.yaml": "names: [cat]\ntrain: train",
    }
    assert detect_format(write_files(tmp_path, files)) == ("yolo", "data.yaml names 1 classes", tmp_path)
    (tmp_path / "data.yaml").unlink()
    assert detect_format(tmp_path)[2] == tmp_path / "train"
    (tmp_path / "loop").symlink_to(".")
    assert detect_format(tmp_path)[2] == tmp_path


def test_two_formats_in_one_folder_ask_for_a_choice(tmp_path):
    write_files(tmp_path, FOLDERS["voc"] | FOLDERS["kitti"])
    with pytest.raises(UserError, match=r"may be kitti or voc \(kitti: .*; voc: .*\): name one"):
        _load(tmp_path, "auto")
    assert splits_of(_load(tmp_path, "kitti")) == {"a": ""}


def test_digits_are_drawn_as_many_as_asked():
    assert detect_format(EMBEDDED)[0] == detect_format(EMBEDDED / "scenes.py")[0] == "digits"
    raw = _load(EMBEDDED, "auto")
    assert raw.count == 4
    assert raw.classes == tuple("0123456789")
    assert [picture.name for picture in raw.pictures] == ["train-00000", "train-00001", "val-00000", "test-00000"]


@pytest.mark.parametrize(
    ("name", "format_name", "message"),
    [
        ("missing", "auto", "does not exist"),
        (".", "auto", "fits none: check dataset.source; looked for "),
        (".", "tfrecord", "known are auto, digits"),
        (".", "digits", "use netwright/data/embedded"),
        ("notes.csv", "auto", "a file: a folder is expected, or a zip or tar"),
    ],
)
def test_a_wrong_source_or_format_is_one_line(tmp_path, name, format_name, message):
    (tmp_path / "notes.csv").touch()
    with pytest.raises(UserError, match=message):
        _load(tmp_path / name, format_name)


def test_what_was_looked_for_names_every_format(tmp_path):
    with pytest.raises(UserError) as caught:
        detect_format(tmp_path)
    assert all(f"{name}: " in str(caught.value) for name in FORMATS if name != "digits")


def test_scenes_smaller_than_320_or_negative_counts_are_refused():
    with pytest.raises(UserError, match="320 pixels or more"):
        load_raw(EMBEDDED, "digits", scenes=SCENES, size=100, seed=0)
    with pytest.raises(UserError, match=r"dataset\.scenes\.train is -1"):
        load_raw(EMBEDDED, "digits", scenes={"train": -1}, size=320, seed=0)
