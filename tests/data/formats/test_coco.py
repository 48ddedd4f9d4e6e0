import json
import math
import pickle
import unicodedata

import numpy as np
import pytest
from pycocotools.coco import COCO

from netwright.artifacts.dataset import Record
from netwright.data.formats.coco import detect, load, save
from netwright.errors import UserError
from tests.data.formats.miniature_files import boxes_of, splits_of, write_files

CATEGORIES = [{"id": 3, "name": "cat", "supercategory": "animal"}, {"id": 90, "name": "dog"}]


def coco(images, annotations, categories=None, **more):
    return json.dumps({"images": images, "annotations": annotations, "categories": categories or CATEGORIES, **more})


def image(number, name, **more):
    return {"id": number, "file_name": name, "width": 100, "height": 50, **more}


def box(picture, corners, category=3, **more):
    return {"id": 1, "image_id": picture, "category_id": category, "bbox": corners, **more}


ONE = coco([image(7, "a.jpg")], [box(7, [10, 5, 20.5, 10])])


@pytest.fixture
def standard(tmp_path):
    """COCO's own layout; ids are sparse, the annotations' too are not unique."""
    train = coco(
        [image(139, "a.jpg"), image(5, "b.jpg")],
        [box(139, [10, 5, 20, 10]), box(5, [0, 0, 100, 50], 90, iscrowd=1), box(139, [1, 2, 3, 4], 90)],
        info={"year": 2017},
        licenses=[{"id": 1}],
    )
    files = {
        "annotations/instances_train2017.json": train,
        "annotations/instances_val2017.json": coco([image(139, "c.jpg")], [box(139, [0.5, 0.25, 1, 1])]),
        "annotations/person_keypoints_train2017.json": "{}",
        "annotations/captions_train2017.json": "{}",
        "train2017/a.jpg": None,
        "train2017/b.jpg": None,
        "val2017/c.jpg": None,
    }
    return write_files(tmp_path / "coco", files)


def test_reads_cocos_own_layout(standard):
    raw = load(standard)
    assert detect(standard) == ("it has annotations/instances_train2017.json with images, annotations and categories")
    assert (raw.format, raw.classes, raw.count) == ("coco", ("cat", "dog"), 3)
    assert splits_of(raw) == {"a": "train", "b": "train", "c": "val"}
    assert boxes_of(raw, "a") == [("cat", (10, 5, 30, 15)), ("dog", (1, 2, 4, 6))]
    assert boxes_of(raw, "c") == [("cat", (0.5, 0.25, 1.5, 1.25))]
    crowd = next(picture for picture in raw.pictures if picture.name == "b").labels()
    assert [box.crowd for box in crowd.boxes] == [True]
    assert crowd.declared_size == (100, 50)
    assert all(picture.content.is_file() for picture in raw.pictures)
    assert raw.notes[0] == "annotations/instances_train2017.json: 2 pictures of train2017, split train"


def test_pictures_can_be_sent_to_worker_processes_and_their_state_follows_their_boxes(standard):
    before = {picture.name: pickle.loads(pickle.dumps(picture)) for picture in load(standard).pictures}
    assert [box.label for box in before["a"].labels().boxes] == ["cat", "dog"]
    path = standard / "annotations/instances_train2017.json"
    path.write_text(path.read_text().replace("[1, 2, 3, 4]", "[1, 2, 3, 5]"))
    after = {picture.name: picture for picture in load(standard).pictures}
    assert [name for name in before if before[name].state != after[name].state] == ["a"]


@pytest.mark.parametrize(
    ("files", "splits"),
    [
        ({"_annotations.coco.json": ONE, "a.jpg": None}, {"a": ""}),
        ({"annotations.json": ONE, "images/a.jpg": None}, {"a": ""}),
        ({"labels.json": ONE, "data/a.jpg": None}, {"a": ""}),
        ({"annotations/train.json": ONE, "images/a.jpg": None}, {"a": ""}),
        (
            {
                "train/_annotations.coco.json": ONE,
                "valid/_annotations.coco.json": ONE.replace("a.jpg", "b.jpg"),
                "train/a.jpg": None,
                "valid/b.jpg": None,
            },
            {"a": "train", "b": "val"},
        ),
        (
            {
                "train.json": ONE,
                "my_val.json": ONE.replace("a.jpg", "b.jpg"),
                "images/train/a.jpg": None,
                "images/val/b.jpg": None,
            },
            {"a": "train", "b": "val"},
        ),
        (
            {"train/labels.json": ONE, "test/labels.json": ONE, "train/a.jpg": None, "test/a.jpg": None},
            {"train/a": "train", "test/a": "test"},
        ),
    ],
    ids=["roboflow, one", "images/", "fiftyone", "one split alone", "roboflow", "by file name", "same names"],
)
def test_finds_splits_and_pictures_in_the_layouts_of_other_tools(tmp_path, files, splits):
    raw = load(write_files(tmp_path, files))
    assert detect(tmp_path)
    assert splits_of(raw) == splits
    assert all(picture.content.is_file() for picture in raw.pictures)
    assert all(boxes_of(raw, name) == [("cat", (10, 5, 30.5, 15))] for name in splits)


def test_a_json_that_is_not_cocos_is_passed_over(tmp_path):
    files = {"package.json": '{"images": [], "name": "x"}', "list.json": "[]", "broken.json": "{", "empty.json": ""}
    write_files(tmp_path, files)
    (tmp_path / "loop.json").symlink_to("loop.json")
    assert detect(tmp_path) == ""
    with pytest.raises(UserError, match="no JSON file"):
        load(tmp_path)


def read(folder, annotations, images=(), **more):
    images = list(images) or [image(1, "a.jpg")]
    return load(write_files(folder, {"a.json": coco(images, annotations, **more), "a.jpg": None}))


def test_the_lists_may_stand_in_any_order(tmp_path):
    value = json.loads(ONE)
    for number, keys in enumerate((["annotations", "categories", "images"], ["categories", "images", "annotations"])):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "a.json").write_text(json.dumps({key: value[key] for key in keys}, indent=1))
        assert boxes_of(load(tmp_path / str(number)), "a") == [("cat", (10, 5, 30.5, 15))]


def test_polygons_serve_where_there_is_no_box(tmp_path):
    polygons = {"segmentation": [[10, 5, 20, 5.5, 15, 30], [40, 2, 41, 3, 40, 3]]}
    raw = read(tmp_path, [box(1, [], **polygons), box(1, None, segmentation=[1, 2, 3, 4, 5, 6])])
    assert boxes_of(raw, "a") == [("cat", (10, 2, 41, 30)), ("cat", (1, 2, 5, 6))]


@pytest.mark.parametrize(
    "more",
    [
        {"bbox": [math.nan, 1, 2, 3]},
        {"bbox": [1, 2, math.inf, 3]},
        {"bbox": [None, 1, 2, 3]},
        {"bbox": None},
        {"bbox": [], "segmentation": []},
        {"bbox": None, "segmentation": {"counts": "abc", "size": [10, 10]}},
    ],
    ids=str,
)
def test_a_box_without_numbers_is_left_to_the_rule_for_it(tmp_path, more):
    raw = read(tmp_path, [box(1, None) | more])
    assert not np.isfinite(next(iter(raw.pictures)).labels().boxes[0].corners).all()


def test_pictures_without_annotations_have_no_objects_and_annotations_without_picture_are_missing(tmp_path):
    raw = read(tmp_path, [box("x/../1", [1, 2, 3, 4])])
    first, second = raw.pictures
    assert (first.name, first.labels().boxes) == ("a", ())
    assert (second.name, second.content.exists()) == ("image_id x_.._1", False)
    assert len(second.labels().boxes) == 1
    assert "annotations name 1 pictures that it does not list" in raw.notes[0]


def test_a_split_without_a_list_of_annotations_is_left_out(tmp_path):
    files = {f"annotations/instances_{split}2017.json": ONE for split in ("train", "val")}
    value = json.loads(ONE)
    del value["annotations"]
    raw = load(write_files(tmp_path, files | {"annotations/instances_test2017.json": json.dumps(value)}))
    assert {picture.split for picture in raw.pictures} == {"train", "val"}
    assert "annotations/instances_test2017.json has no list of annotations and is left out" in raw.notes


def test_roboflows_first_category_is_no_class(tmp_path):
    heading = {"id": 0, "name": "animals", "supercategory": "none"}
    classes = [{"id": number, "name": name, "supercategory": "animals"} for number, name in ((1, "cat"), (2, "dog"))]
    raw = read(tmp_path, [box(1, [1, 2, 3, 4], 2)], categories=[heading, *classes])
    assert raw.classes == ("cat", "dog")
    assert "'animals' only heads its categories" in raw.notes[0]
    used = read(tmp_path, [box(1, [1, 2, 3, 4], 0)], categories=[heading, *classes])
    assert used.classes == ("animals", "cat", "dog")


@pytest.mark.parametrize(
    ("stated", "there", "name"),
    [
        ("a.jpg", "a.JPG", "a"),
        ("deep/in folder/ä.b.PNG", "deep/in folder/ä.b.png", "deep/in folder/ä.b"),
        ("deep\\win.jpg", "deep/win.jpg", "deep/win"),
        (unicodedata.normalize("NFD", "é.jpg"), unicodedata.normalize("NFC", "é.jpg"), "é"),
        (unicodedata.normalize("NFC", "é.jpg"), unicodedata.normalize("NFD", "é.jpg"), "é"),
    ],
)
def test_finds_pictures_whose_names_are_written_otherwise(tmp_path, stated, there, name):
    raw = load(write_files(tmp_path, {"a.json": coco([image(1, stated)], []), there: None}))
    assert [(picture.name, picture.content.is_file()) for picture in raw.pictures] == [(name, True)]


WRONG = {
    "leads up": (coco([image(1, "../../etc/passwd")], []), "'../../etc/passwd'"),
    "leads up, windows": (coco([image(1, "a\\..\\..\\b.jpg")], []), "below the dataset"),
    "absolute": (coco([image(1, "/etc/passwd")], []), "'/etc/passwd'"),
    "drive": (coco([image(1, "C:\\data\\a.jpg")], []), "below the dataset"),
    "zero byte": (coco([image(1, "a\0.jpg")], []), "below the dataset"),
    "half a surrogate": (coco([image(1, "\ud800.jpg")], []), "file_name"),
    "long name": (coco([image(1, "a" * 300)], []), "below the dataset"),
    "no file name": (coco([{"id": 1}], []), "no usable file_name"),
    "no image id": (coco([{"file_name": "a.jpg"}], []), "no usable id"),
    "id is a list": (coco([image([1], "a.jpg")], []), "no usable id"),
    "two pictures of one id": (coco([image(1, "a.jpg"), image(1, "b.jpg")], []), "two images of id 1"),
    "image is a text": (coco(["a.jpg"], []), "images holds 'a.jpg'"),
    "annotation without picture": (coco([image(1, "a.jpg")], [{"category_id": 3}]), "no usable image_id"),
    "annotation without category": (coco([image(1, "a.jpg")], [{"image_id": 1}]), "no usable category_id"),
    "unknown category": (coco([image(1, "a.jpg")], [box(1, [1, 2, 3, 4], 55)]), "category_id 55"),
    "three numbers": (coco([image(1, "a.jpg")], [box(1, [1, 2, 3])]), "not four numbers"),
    "text for numbers": (coco([image(1, "a.jpg")], [box(1, ["a", 2, 3, 4])]), "not four numbers"),
    "box is a number": (coco([image(1, "a.jpg")], [box(1, 7)]), "not four numbers"),
    "huge number": (coco([image(1, "a.jpg")], [box(1, [10**400, 2, 3, 4])]), "not four numbers"),
    "category twice": (coco([], [], [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]), "both 'a' and 'b'"),
    "category without name": (coco([image(1, "a.jpg")], [], [{"id": 1}]), "no usable name"),
    "no pictures": (coco([], []), "no images"),
    "cut off": (ONE[:-30], "readable JSON"),
}


@pytest.mark.parametrize(("content", "message"), WRONG.values(), ids=WRONG)
def test_refuses_a_file_that_makes_no_sense_in_one_short_line(tmp_path, content, message):
    write_files(tmp_path, {"annotations/instances_train2017.json": content})
    with pytest.raises(UserError, match=r"instances_train2017\.json") as caught:
        load(tmp_path)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 500 + len(str(tmp_path))


def test_pycocotools_reads_what_is_written(tmp_path):
    """The reference implementation as the judge."""
    boxes = np.array([[1.1, 2.2, 33.3, 44.4], [0, 0, 7, 9]], np.float32)
    labels, crowd = np.array([1, 0]), np.array([False, True])
    written = [
        Record(name="a", split="val", image=b"\x89PNG", width=60, height=50, boxes=boxes, labels=labels, crowd=crowd),
        Record(name="b", split="val", image=b"x", width=6, height=5, boxes=boxes[:0], labels=labels[:0]),
    ]
    save(written, ("cat", "dog"), tmp_path)
    judge = COCO(str(tmp_path / "annotations/instances_val2017.json"))
    assert [(entry["id"], entry["name"]) for entry in judge.loadCats(judge.getCatIds())] == [(1, "cat"), (2, "dog")]
    assert [(e["file_name"], e["width"], e["height"]) for e in judge.loadImgs(judge.getImgIds())] == [
        ("a.png", 60, 50),
        ("b.jpg", 6, 5),
    ]
    first, second = judge.loadAnns(judge.getAnnIds(imgIds=[1]))
    assert (first["bbox"], first["category_id"], first["iscrowd"], first["id"]) == ([1.1, 2.2, 32.2, 42.2], 2, 0, 1)
    assert (second["bbox"], second["category_id"], second["iscrowd"]) == ([0, 0, 7, 9], 1, 1)
    assert second["area"] == 63
    assert judge.getAnnIds(imgIds=[2]) == []


def test_flags_may_be_written_as_text(tmp_path):
    flags = [
        {"iscrowd": "0"},
        {"iscrowd": "1"},
        {"attributes": {"difficult": "true", "occluded": True, "truncated": "x"}},
    ]
    raw = read(tmp_path, [box(1, [1, 2, 3, 4], **more) for more in flags])
    boxes = next(iter(raw.pictures)).labels().boxes
    assert [box.crowd for box in boxes] == [False, True, False]
    assert (boxes[2].difficult, boxes[2].occluded, boxes[2].truncated) == (True, 1, 0)


def test_a_link_to_itself_is_no_file(tmp_path):
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/instances_train2017.json").symlink_to("instances_train2017.json")
    assert detect(tmp_path) == ""
