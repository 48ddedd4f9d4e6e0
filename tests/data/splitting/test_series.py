import random
import uuid

import pytest

from netwright.data.splitting.divide import Countable
from netwright.data.splitting.series import guess_series


def _guess(names, counts=(1,)):
    return guess_series([Countable(name=name, group="", counts=counts) for name in names])


def _frames(template, series=4, frames=6):
    return [template.format(s=s, f=f) for s in range(series) for f in range(frames)]


@pytest.mark.parametrize(
    ("template", "prefix"),
    [
        ("video{s}_{f:06d}", "video0_"),
        ("clip{s}/frame_{f:04d}", "clip0/frame_"),
        ("MVI_2001{s}/img{f:05d}", "MVI_20010/img"),
        ("seq{s}-{f}-left", "seq0-"),
        ("day/cam{s}/{f:03d}", "day/cam0/"),
        ("drive{s}_mp4-{f}_jpg.rf.0123456789abcdef{f:02d}", "drive0_mp4-"),  # exported by Roboflow
    ],
)
def test_frames_of_several_videos_are_seen(template, prefix):
    found, why = _guess(_frames(template))
    assert len(set(found)) == 4
    assert found[0] == prefix
    assert why.startswith("names look like frames of videos")


@pytest.mark.parametrize(
    ("names", "prefix", "series"),
    [
        # VisDrone: video_frame_d_runningnumber
        ([f"0000{v:03d}_{f:05d}_d_{v * 20 + f:07d}" for v in range(20) for f in range(20)], "0000000_", 20),
        ([f"city{c}_{s:06d}_000019_leftImg8bit" for c in "abcdef" for s in range(10)], "citya_", 6),  # Cityscapes
        ([f"P{i:04d}__1__{x}___{y}" for i in range(60) for x in (0, 824) for y in (0, 824)], "P0000__", 60),  # tiles
        (
            [f"site{s}_cam1_video{v:02d}_{f:04d}" for s in "abc" for v in range(9) for f in range(5)],
            "sitea_cam1_video00_",
            27,
        ),
    ],
    ids=["VisDrone", "Cityscapes", "DOTA", "sites"],
)
def test_the_number_of_the_series_may_stand_before_others(names, prefix, series):
    found, _ = _guess(names)
    assert found[0] == prefix
    assert len(set(found)) == series


def test_a_picture_outside_all_series_stands_alone():
    found, _ = _guess([*_frames("video{s}_{f:06d}"), "poster"])
    assert found[-1] == ""
    assert len(set(found)) == 5


@pytest.mark.parametrize("digits", [8, 16, 32])
def test_hexadecimal_codes_are_no_series(digits):
    generator = random.Random(0)
    found, _ = _guess([f"{generator.getrandbits(4 * digits):0{digits}x}" for _ in range(2000)])
    assert set(found) == {""}


def test_uuids_are_no_series():
    generator = random.Random(0)
    found, _ = _guess([str(uuid.UUID(int=generator.getrandbits(128))) for _ in range(2000)])
    assert set(found) == {""}


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ([f"BloodImage_{i:05d}" for i in range(50)], "names show 1 series"),
        ([f"{i:06d}" for i in range(50)], "names show 1 series"),  # KITTI
        ([f"{i:012d}" for i in range(0, 5000, 97)], "names show 1 series"),  # COCO
        ([f"left_{i}" for i in range(9)] + [f"right_{i}" for i in range(9)], "names show 2 series"),
        (["ab", "cd", "ef"], "names show 0 series"),
        ([f"{i:08x}f-{i * 7919:08x}a" for i in range(50)], ""),  # hexadecimal ids
        (_frames("clip{s}_{f}", series=3) + [f"photo of {c}" for c in "abcdefghij"], "most names are not"),
        (
            [f"main_{i}" for i in range(95)] + ["a_1", "a_2", "b_1", "b_2"],
            "one series of numbered names holds 95 of 99",
        ),
        ([f"200{year}_{i:06d}" for year in range(7, 10) for i in range(5)], "names are numbered by year"),  # VOC
        ([f"{folder}/IMG_{folder * 100 + i}" for folder in range(5) for i in range(8)], "numbers run on"),
    ],
)
def test_photographs_are_no_videos(names, why):
    found, reason = _guess(names)
    assert set(found) == {""}
    assert reason.startswith(why)


def test_names_that_say_the_class_are_no_videos():
    """cat_001, dog_001, ... kept whole would leave each class in one split."""
    pictures = [
        Countable(name=f"{animal}_{i}", group="", counts=tuple(int(n == number) for n in range(4)))
        for number, animal in enumerate(["cat", "dog", "hen", "pig"])
        for i in range(10)
    ]
    found, why = guess_series(pictures)
    assert set(found) == {""}
    assert why == "4 of 4 classes come in one series of names only"


def test_a_rare_class_in_one_video_does_not_undo_the_guess():
    pictures = [
        Countable(name=name, group="", counts=(1, 1, int(number == 0)))
        for number, name in enumerate(_frames("v{s}_{f}"))
    ]
    assert len(set(guess_series(pictures)[0])) == 4


def test_augmented_copies_of_one_picture_stay_together():
    names = [f"street{i}_jpg.rf.{copy:032x}" for i in range(5) for copy in range(3)]
    found, why = _guess([*names, "other"])
    assert found == [f"street{i}" for i in range(5) for _ in range(3)] + ["other"]
    assert why.startswith("names show augmented copies")
