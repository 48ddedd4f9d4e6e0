import pytest

from netwright.data.formats.labelled_files import Row, match_files, settle, split_of

SPLITS = {
    "train": "train",
    "Training": "train",
    "train2017": "train",
    "train_2017": "train",
    "valid": "val",
    "VALIDATION": "val",
    "val2017": "val",
    "testing": "test",
    "obj_train_data": "train",
    "obj_Test_data": "test",
    "trainval": "",
    "test-dev2017": "",
    "training_set": "",
    "images": "",
}


@pytest.mark.parametrize(("folder", "split"), SPLITS.items())
def test_a_folders_name_may_tell_its_split(folder, split):
    assert split_of(folder) == split


def _row(name, split="", label="labels/x.txt"):
    return Row(name=name, picture=f"images/{split}/{name}.jpg", label=label, split=split)


def test_two_splits_are_the_datasets_own_and_others_are_left_out():
    rows, notes = settle([_row("c", "val"), _row("b"), _row("a", "train")])
    assert [(row.name, row.split) for row in rows] == [("a", "train"), ("c", "val")]
    assert notes == [
        "the dataset's own splits are used: train, val",
        "1 pictures are in none of the splits and left out",
    ]


def test_one_split_alone_divides_nothing():
    rows, notes = settle([_row("b", "train"), _row("a")])
    assert [(row.name, row.split) for row in rows] == [("a", ""), ("b", "")]
    assert notes == ["only train is there, no other split: all pictures are divided anew"]
    assert settle([_row("a"), _row("b")])[1] == []


def test_names_that_splits_share_begin_with_the_split():
    rows, _ = settle([_row("1", "val"), _row("1", "train"), _row("2", "train")])
    assert [row.name for row in rows] == ["train/1", "train/2", "val/1"]


def test_a_split_without_labels_is_left_out():
    rows, notes = settle([_row("a", "train"), _row("b", "val"), _row("c", "test", ""), _row("d", "val", "")])
    assert [row.name for row in rows] == ["a", "b", "d"]
    assert notes[0] == "test: its 1 pictures have no label at all and are left out"


def test_pictures_and_labels_meet_by_key():
    pictures = [("b", "b.jpg"), ("a", "a.png"), ("a", "a.jpg")]
    labels = [("c", "c.txt"), ("a", "a.txt")]
    assert list(match_files(pictures, labels, lambda key: key + ".jpg")) == [
        ("a", "a.jpg", "a.txt"),
        ("a", "a.png", "a.txt"),
        ("b", "b.jpg", ""),
        ("c", "c.jpg", "c.txt"),
    ]
