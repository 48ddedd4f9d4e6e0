import pytest

from netwright.data.source import EMBEDDED, detect_format, load_raw
from netwright.errors import UserError
from tests.data.miniature import OWN_SPLITS, write_voc

SCENES = {"train": 2, "val": 1, "test": 1}


def _load(source, format_name):
    return load_raw(source, format_name, scenes=SCENES, size=320, seed=0)


def test_auto_says_which_format_and_why(tmp_path):
    folder = write_voc(tmp_path / "voc", OWN_SPLITS)
    assert detect_format(folder)[0] == "voc"
    assert detect_format(EMBEDDED)[0] == detect_format(EMBEDDED / "scenes.py")[0] == "digits"
    assert _load(folder, "auto").notes[0] == f"format voc because {folder} has Annotations/*.xml"


def test_digits_are_drawn_as_many_as_asked():
    raw = _load(EMBEDDED, "digits")
    assert raw.count == 4
    assert raw.classes == tuple("0123456789")
    assert [picture.name for picture in raw.pictures] == ["train-00000", "train-00001", "val-00000", "test-00000"]


@pytest.mark.parametrize(
    ("name", "format_name", "message"),
    [
        ("missing", "auto", "does not exist"),
        (".", "auto", "check dataset.source or name the format"),
        (".", "coco", "known are auto, digits, voc"),
        (".", "digits", "use netwright/data/embedded"),
    ],
)
def test_a_wrong_source_or_format_is_one_line(tmp_path, name, format_name, message):
    with pytest.raises(UserError, match=message):
        _load(tmp_path / name, format_name)


def test_scenes_smaller_than_320_or_negative_counts_are_refused():
    with pytest.raises(UserError, match="320 pixels or more"):
        load_raw(EMBEDDED, "digits", scenes=SCENES, size=100, seed=0)
    with pytest.raises(UserError, match=r"dataset\.scenes\.train is -1"):
        load_raw(EMBEDDED, "digits", scenes={"train": -1}, size=320, seed=0)
