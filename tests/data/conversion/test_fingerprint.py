import hashlib
import json
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.data.conversion import fingerprint as lines
from netwright.data.conversion.examined import Examined

CLASSES = ("cat", "dog")


def fingerprint(pictures, classes):
    digests = (lines.line_digests(picture)[picture.split] for picture in pictures if picture.kept)
    return lines.fingerprint(digests, classes)


def _picture(name="a", boxes=((1, 2, 3, 4.5), (5, 6, 7, 8)), labels=("cat", "dog"), **facts):
    count = len(boxes)
    values = {
        "name": name,
        "source": f"labels/{name}.txt",
        "split": "train",
        "group": "",
        "width": 64,
        "height": 48,
        "sha256": "ab" * 32,
        "phash": 7,
        "boxes": np.array(boxes, dtype=np.float32).reshape(-1, 4),
        "labels": labels,
        "difficult": np.zeros(count, dtype=np.bool_),
        "crowd": np.zeros(count, dtype=np.bool_),
        "truncated": np.zeros(count, dtype=np.float32),
        "occluded": np.zeros(count, dtype=np.int8),
        "offences": (),
    }
    return Examined(**(values | facts))


PICTURES = [_picture("a"), _picture("b", split="val", sha256="cd" * 32), _picture("c", boxes=(), labels=())]
BASE = fingerprint(PICTURES, CLASSES)


def _changed(**facts):
    return fingerprint([replace(PICTURES[0], **facts), *PICTURES[1:]], CLASSES)


def test_one_picture_by_hand():
    """The canonical line is written out here: 1.0 is 0x3f800000, so 0000803f in little-endian order."""
    picture = _picture(boxes=((1, 1, 1, 1),), labels=("cat",))
    zero = struct.pack("<f", 0).hex()
    line = json.dumps(["a", "train", "ab" * 32, 64, 48, [["cat", "0000803f" * 4, zero, 0, 0, 0]]])
    head = json.dumps(["netwright dataset 1", ["cat", "dog"]])
    expected = hashlib.sha256(head.encode() + hashlib.sha256(line.encode()).digest()).hexdigest()
    assert fingerprint([picture], CLASSES) == expected


@pytest.mark.parametrize(
    "facts",
    [
        {"sha256": "ac" + "ab" * 31},  # a byte of the picture
        {"boxes": np.array([(1, 2, 3, np.nextafter(np.float32(4.5), np.float32(9))), (5, 6, 7, 8)], dtype=np.float32)},
        {"labels": ("dog", "dog")},
        {"labels": ("dog", "cat")},
        {"name": "z"},
        {"split": "test"},
        {"width": 65},
        {"height": 49},
        {"difficult": np.array([True, False])},
        {"crowd": np.array([False, True])},
        {"truncated": np.array([0, 0.25], dtype=np.float32)},
        {"occluded": np.array([2, 0], dtype=np.int8)},
    ],
)
def test_every_change_of_content_changes_it(facts):
    assert _changed(**facts) != BASE


@pytest.mark.parametrize("classes", [("dog", "cat"), ("cat",), ("cat", "dog", "hen"), ("cat", "Dog"), ("catdog",)])
def test_the_class_list_and_its_order_count(classes):
    assert fingerprint(PICTURES, classes) != BASE


def test_a_picture_more_or_less_changes_it():
    assert fingerprint(PICTURES[:2], CLASSES) != BASE
    assert fingerprint([*PICTURES, PICTURES[0]], CLASSES) != BASE


def test_a_box_less_changes_it():
    assert fingerprint([_picture("a", boxes=((1, 2, 3, 4.5),), labels=("cat",)), *PICTURES[1:]], CLASSES) != BASE


@pytest.mark.parametrize("facts", [{"source": "elsewhere.xml"}, {"group": "video"}, {"phash": 9}])
def test_where_a_picture_came_from_does_not_count(facts):
    assert _changed(**facts) == BASE


def test_a_dropped_picture_does_not_count():
    assert fingerprint([*PICTURES, _picture("dropped", kept=False)], CLASSES) == BASE


def test_the_order_of_boxes_in_a_label_file_does_not_count():
    turned = _picture("a", boxes=((5, 6, 7, 8), (1, 2, 3, 4.5)), labels=("dog", "cat"))
    assert fingerprint([turned, *PICTURES[1:]], CLASSES) == BASE


def test_how_a_number_is_held_does_not_count():
    boxes = PICTURES[0].boxes
    assert _changed(boxes=boxes.astype(">f4")) == BASE
    assert _changed(boxes=boxes.astype(np.float64)) == BASE
    assert _changed(boxes=np.asfortranarray(boxes)) == BASE
    zero = _picture("a", boxes=((0, 0, 3, 4),), labels=("cat",))
    minus = _picture("a", boxes=((-0.0, 0, 3, 4),), labels=("cat",))
    assert fingerprint([zero], CLASSES) == fingerprint([minus], CLASSES)


def test_how_a_file_system_composes_accents_does_not_count():
    composed, decomposed = _picture("caf\u00e9"), _picture("cafe\u0301")
    assert fingerprint([composed], CLASSES) == fingerprint([decomposed], CLASSES)


def test_names_that_are_no_unicode_are_taken():
    assert len(fingerprint([_picture("\udcff")], CLASSES)) == 64


@settings(max_examples=50, deadline=None)
@given(
    pictures=st.lists(
        st.builds(_picture, name=st.text(max_size=8), split=st.sampled_from(["train", "val", "test"])), max_size=8
    ),
    shuffle=st.randoms(use_true_random=False),
)
def test_the_order_of_pictures_does_not_count(pictures, shuffle):
    before = fingerprint(iter(pictures), CLASSES)
    shuffle.shuffle(pictures)
    assert fingerprint(pictures, list(CLASSES)) == before


def test_borders_between_values_are_kept():
    """Names that run into each other must not make equal lines."""
    one = [_picture('a", "train'), _picture("b")]
    other = [_picture("a"), _picture('train", "b')]
    assert fingerprint(one, CLASSES) != fingerprint(other, CLASSES)
    assert fingerprint([], ("a", "b")) != fingerprint([], ("a, b",))
