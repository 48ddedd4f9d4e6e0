"""A metadata.mat written by hand, laid out as EgoHands' own: struct arrays 1 x N, polygons n x 2, text as char."""

import contextlib
import os
import pickle

import numpy as np
import pytest
from scipy.io import savemat

from netwright.data.formats import egohands_mat
from netwright.data.formats.egohands import CLASSES, detect, load
from netwright.errors import UserError
from tests.data.formats.miniature_files import boxes_of, write_files

NONE = np.zeros((0, 0))


def struct(*entries):
    array = np.empty((1, len(entries)), dtype=[(name, object) for name in entries[0]])
    for place, entry in enumerate(entries):
        array[0, place] = tuple(entry.values())
    return array


def frame(number, **hands):
    polygons = {label: np.asarray(hands.get(label, NONE), float) for label in CLASSES}
    return {"frame_num": float(number)} | polygons


def video(name, *frames):
    viewer = {"partner_video_id": "x", "ego_viewer_id": "B", "partner_id": "T"}
    place = {"location_id": "COURTYARD", "activity_id": "CARDS"}
    return {"video_id": name} | viewer | place | {"labelled_frames": struct(*frames)}


def write(folder, *videos, compressed=True):
    savemat(folder / "metadata.mat", {"video": struct(*videos)}, do_compression=compressed)
    return folder


@pytest.fixture
def dataset(tmp_path):
    names = ["CARDS_COURTYARD_B_T/frame_0011", "CARDS_COURTYARD_B_T/frame_1234", "CHESS_LIVINGROOM_H_S/frame_0002"]
    write_files(tmp_path, {f"_LABELLED_SAMPLES/{name}.jpg": None for name in names})
    cards = video(
        "CARDS_COURTYARD_B_T",
        frame(11, myleft=[[10.5, 20], [30, 8.25], [12, 40]], yourright=[[1, 2], [3, 4], [1, 4], [-2, 3]]),
        frame(1234),
    )
    return write(tmp_path, cards, video("CHESS_LIVINGROOM_H_S", frame(2, myright=[[5, 6], [7, 8], [5, 9]])))


def test_draws_boxes_around_polygons_and_makes_a_group_of_each_video(dataset):
    raw = load(dataset)
    assert detect(dataset) == "it has metadata.mat beside _LABELLED_SAMPLES/"
    assert (raw.format, raw.classes, raw.count) == ("egohands", ("myleft", "myright", "yourleft", "yourright"), 3)
    assert boxes_of(raw, "CARDS_COURTYARD_B_T/frame_0011") == [
        ("myleft", (10.5, 8.25, 30, 40)),
        ("yourright", (-2, 2, 3, 4)),
    ]
    assert boxes_of(raw, "CARDS_COURTYARD_B_T/frame_1234") == []
    assert {picture.group for picture in raw.pictures} == {"CARDS_COURTYARD_B_T", "CHESS_LIVINGROOM_H_S"}
    assert {picture.split for picture in raw.pictures} == {""}
    assert all(picture.content.is_file() for picture in raw.pictures)


def test_reads_uncompressed_files_and_a_single_video_of_a_single_frame(tmp_path):
    write(tmp_path, video("A", frame(7, myleft=[[1, 2], [3, 4], [5, 1]])), compressed=False)
    assert boxes_of(load(tmp_path), "A/frame_0007") == [("myleft", (1, 1, 5, 4))]


def test_a_line_or_a_point_becomes_a_box_without_area_which_its_rule_lists(tmp_path):
    write(tmp_path, video("A", frame(1, myleft=[[1, 2], [30, 40]], myright=[[5, 6]])))
    assert boxes_of(load(tmp_path), "A/frame_0001") == [("myleft", (1, 2, 1, 2)), ("myright", (5, 6, 5, 6))]


def test_pictures_can_be_sent_to_worker_processes_and_their_state_follows_their_boxes(dataset):
    first, second, _ = (pickle.loads(pickle.dumps(picture)) for picture in load(dataset).pictures)
    assert len(first.labels().boxes) == 2
    write(dataset, video("CARDS_COURTYARD_B_T", frame(11, myleft=[[1, 1], [2, 2], [1, 2]]), frame(1234)))
    changed, same = load(dataset).pictures
    assert (changed.state == first.state, same.state == second.state) == (False, True)


WRONG = {
    "no struct": {"video": np.ones((1, 3))},
    "another variable": {"videos": struct({"a": 1})},
    "another struct": {"video": struct({"a": 1})},
    "no frames": {"video": struct({"video_id": "A", "labelled_frames": NONE})},
    "leads up": {"video": struct(video("../../A", frame(1)))},
    "number as name": {"video": struct(video(NONE, frame(1)))},
    "three coordinates": {"video": struct(video("A", frame(1, myleft=[[1, 2, 3], [4, 5, 6]])))},
    "text for a polygon": {"video": struct({"video_id": "A", "labelled_frames": struct(frame(1) | {"myleft": "abc"})})},
    "frame that is no number": {"video": struct(video("A", frame(np.nan)))},
}


@pytest.mark.parametrize("variables", WRONG.values(), ids=WRONG)
def test_refuses_another_layout_naming_the_file(tmp_path, variables):
    savemat(tmp_path / "metadata.mat", variables)
    with pytest.raises(UserError, match=r"metadata\.mat"):
        load(tmp_path)


def test_refuses_what_is_no_matlab_file_or_a_damaged_one(dataset):
    path = dataset / "metadata.mat"
    content = path.read_bytes()
    damaged = np.random.default_rng(0).integers(0, len(content), 20)
    for wrong in [b"", b"MATLAB 5.0", b"\x89HDF\r\n\x1a\n" * 100, bytes(1000), content[:400], content[:-9]]:
        path.write_bytes(wrong)
        with pytest.raises(UserError, match=r"metadata\.mat"):
            load(dataset)
    for at in damaged:
        path.write_bytes(content[:at] + b"\xff\xfe\xff\xff" + content[at + 4 :])
        with contextlib.suppress(UserError):  # anything else is a defect
            load(dataset)


def crash(path):
    os._exit(11)


def test_a_crash_of_the_reader_is_an_unreadable_file(dataset, monkeypatch):
    """SciPy's reader dies of some damaged files."""
    monkeypatch.setattr(egohands_mat, "_read", crash)
    with pytest.raises(UserError, match="reading it crashes"):
        load(dataset)


def test_refuses_a_file_that_unpacks_to_more_than_memory_should_hold(tmp_path, monkeypatch):
    monkeypatch.setattr(egohands_mat, "LARGEST", 1 << 20)
    savemat(tmp_path / "metadata.mat", {"a": np.zeros((1, 1 << 18))}, do_compression=True)
    assert (tmp_path / "metadata.mat").stat().st_size < 10_000
    with pytest.raises(UserError, match="unpacks to more than 1 MiB"):
        load(tmp_path)
