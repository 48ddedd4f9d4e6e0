import pytest

from netwright.data.divide import Countable
from netwright.data.series import guess_series


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
