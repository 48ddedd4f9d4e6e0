import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.data.formats.box_columns import columns_of
from netwright.data.formats.kitti_columns import read_columns
from netwright.data.formats.kitti_labels import read_labels

REST = "-1 -1 -1 -1000 -1000 -1000 -10"
numbers = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True).map(str),
    st.integers(-4, 2000).map(str),
    st.sampled_from(["0.00", "1e3", "-0.0", "3.5", "nan", "inf", "-inf", "1_0"]),
)
names = st.sampled_from(["Car", "DontCare", "dontcare", "7", "traffic-light"])
lines = st.builds(
    lambda name, fields, score, gap: gap.join([name, *fields, REST, *score]),
    names,
    st.lists(numbers, min_size=7, max_size=7),
    st.sampled_from([[], ["0.5"]]),
    st.sampled_from([" ", "  ", "\t"]),
)
texts = st.lists(st.lists(lines | st.just("  "), max_size=4), min_size=1, max_size=3)


@given(texts, st.sampled_from(["\n", "\r\n", "\r"]))
def test_files_read_together_are_as_read_one_by_one(tmp_path_factory, files, end):
    folder = tmp_path_factory.mktemp("kitti")
    paths = []
    for number, lines_ in enumerate(files):
        (folder / f"{number}.txt").write_bytes(end.join(lines_).encode())
        paths.append(str(folder / f"{number}.txt"))
    found = read_columns(["", *paths])
    wanted = columns_of([(), *(read_labels(path, path).boxes for path in paths)])
    if not wanted.labels:
        assert found is None
        return
    assert (found.counts, found.labels) == (wanted.counts, wanted.labels)
    np.testing.assert_array_equal(found.corners, wanted.corners)
    for name, values in wanted.flags.items():
        np.testing.assert_array_equal(found.flags[name], values, err_msg=name)
        assert found.flags[name].dtype == values.dtype


@pytest.mark.parametrize(
    "text",
    [
        b"Car 0 0 0 1 2 3 4 -1 -1 -1 -1 -1 -1\n",  # 14 fields
        f"traffic light 0 0 0 1 2 3 4 {REST}\n".encode(),  # a name of two words
        f"Car 0 0 0 1 2 3 wide {REST}\n".encode(),
        f"Car 0 0 odd 1 2 3 4 {REST}\n".encode(),
        f"Fu\u00dfg\u00e4nger 0 0 0 1 2 3 4 {REST}\n".encode("latin-1"),
        f"Car\x1fred 0 0 0 1 2 3 4 {REST}\n".encode(),
        f"Car 0 0 0 1 2 3 4 {REST}\n".encode("utf-16"),
        f"Ca\x07r 0 0 0 1 2 3 4 {REST}\n".encode(),
        f"Car 0 0 0 1 2 3 4 {REST}\n".encode() * 2000,
    ],
)
def test_what_is_not_plain_is_read_one_by_one(tmp_path, text):
    (tmp_path / "1.txt").write_bytes(text)
    assert read_columns([str(tmp_path / "1.txt")]) is None


def test_a_label_that_is_gone_is_left_to_who_says_so(tmp_path):
    assert read_columns([str(tmp_path / "gone.txt")]) is None
