import os

import pytest

from netwright.data.formats.folders import files_below, state_of, stem_of, subfolders
from netwright.errors import UserError
from tests.data.formats.miniature_files import write_files

TXT = frozenset({".txt"})


@pytest.fixture
def dataset(tmp_path):
    return write_files(
        tmp_path / "dataset", {"b.txt": "", "a/c.TXT": "", "a/d.jpg": b"", ".hidden.txt": "", "a/._c.txt": ""}
    )


def test_lists_files_in_order_without_hidden_ones(dataset):
    write_files(dataset, {"__MACOSX/x.txt": "", ".git/y.txt": "", "a/ü ö/猫.txt": ""})
    assert files_below(dataset, TXT, border=dataset) == ["a/c.TXT", "a/ü ö/猫.txt", "b.txt"]
    assert subfolders(dataset, border=dataset) == ["a"]
    assert files_below(dataset / "none", TXT, border=dataset) == []


def test_a_circle_of_links_is_walked_once(dataset):
    (dataset / "a/self").symlink_to("self")
    (dataset / "a/up").symlink_to("..")
    (dataset / "a/here").symlink_to(".")
    (dataset / "a/nowhere.txt").symlink_to("none")
    assert files_below(dataset, TXT, border=dataset) == ["a/c.TXT", "b.txt"]
    assert files_below(dataset / "a", TXT, border=dataset) == ["c.TXT", "up/b.txt"]


def test_links_inside_the_dataset_are_followed_once(dataset):
    write_files(dataset, {"pool/p.txt": "", "use/own.txt": ""})
    (dataset / "use/one").symlink_to("../pool")
    (dataset / "use/two").symlink_to("../pool")
    (dataset / "pool/back").symlink_to("../use")
    (dataset / "use/file.txt").symlink_to("../b.txt")
    assert files_below(dataset / "use", TXT, border=dataset) == ["file.txt", "one/p.txt", "own.txt"]


@pytest.mark.parametrize("target", ["/etc", "/etc/passwd", "../outside", "../dataset-2"])
def test_a_link_that_leads_out_is_refused(dataset, target):
    (dataset.parent / "outside").mkdir()
    (dataset.parent / "dataset-2").mkdir()  # whose path begins alike
    (dataset / "a/link").symlink_to(target if target.startswith("/") else f"../{target}")
    with pytest.raises(UserError, match="outside the dataset's folder: copy the files there"):
        files_below(dataset, TXT, border=dataset)
    with pytest.raises(UserError, match="outside the dataset's folder"):
        files_below(dataset / "a/link", TXT, border=dataset)


def test_the_dataset_itself_may_be_a_link(dataset):
    link = dataset.parent / "raw"
    link.symlink_to(dataset)
    assert files_below(link / "a", TXT, border=link) == ["c.TXT"]


def test_pipes_and_folders_named_like_files_are_no_files(dataset):
    os.mkfifo(dataset / "pipe.txt")
    (dataset / "folder.txt").mkdir()
    assert files_below(dataset, TXT, border=dataset) == ["a/c.TXT", "b.txt"]


def test_deep_folders_are_walked(dataset):
    place = dataset
    for _ in range(300):
        place = place / "d"
        place.mkdir()
    (place / "end.txt").touch()
    assert files_below(dataset, TXT, border=dataset)[-1] == "d/" * 300 + "end.txt"


def test_a_name_that_is_not_utf8_is_refused(dataset):
    (dataset / os.fsdecode(b"\xfc.txt")).touch()
    with pytest.raises(UserError, match=r"not UTF-8, b'\\xfc.txt': rename it"):
        files_below(dataset, TXT, border=dataset)


def test_state_and_stem(dataset):
    before = state_of(dataset / "b.txt")
    os.utime(dataset / "b.txt", ns=(1, 1))
    after = state_of(dataset / "b.txt")
    assert after != before
    (dataset / "b.txt").unlink()
    (dataset / "b.txt").touch()
    os.utime(dataset / "b.txt", ns=(1, 1))  # as a reproducible archive unpacks it
    assert state_of(dataset / "b.txt") != after
    assert state_of(dataset / "none.txt") == "gone"
    assert stem_of("a.b/u\u0308.c.txt") == "a.b/\u00fc.c"
