import pytest

from netwright.data.formats import label_text
from netwright.data.formats.label_text import check_class, quote, read_lines, write_lines
from netwright.errors import UserError

ENCODED = {
    "UTF-8": "ä b\n\nc".encode(),
    "byte order mark": "ä b\n\nc".encode("utf-8-sig"),
    "UTF-16": "ä b\n\nc".encode("utf-16"),
    "UTF-16 big": b"\xfe\xff" + "ä b\n\nc".encode("utf-16-be"),
    "Latin-1": "ä b\n\nc".encode("latin-1"),
    "Windows": "ä b \r\n\t\r\nc\r\n".encode(),
    "old Mac": "ä b\r\rc\r".encode(),
}


@pytest.mark.parametrize("content", ENCODED.values(), ids=ENCODED)
def test_lines_keep_their_number_in_any_encoding(tmp_path, content):
    (tmp_path / "a.txt").write_bytes(content)
    assert list(read_lines(tmp_path / "a.txt", "a.txt")) == [(1, "ä b"), (3, "c")]


def test_a_line_of_latin_1_is_not_cut_at_its_odd_letters(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"a\x85b \xfc\x1cc")  # U+0085 and U+001C end lines for str.splitlines
    assert [number for number, _ in read_lines(tmp_path / "a.txt", "a.txt")] == [1]


def test_refuses_what_is_no_label_file(tmp_path, monkeypatch):
    monkeypatch.setattr(label_text, "LARGEST", 8)
    (tmp_path / "large").write_bytes(b"123456789")
    (tmp_path / "binary").write_bytes(b"a\0b")
    for name, message in {
        "large": "has more than",
        "binary": "is not text",
        "none": "No such file",
        ".": "directory",
    }.items():
        with pytest.raises(UserError, match=f"labels/x .*{message}"):
            list(read_lines(tmp_path / name, "labels/x"))


def test_written_lines_are_read_again(tmp_path):
    write_lines(["ä b", "c"], tmp_path / "new/a.txt")
    assert (tmp_path / "new/a.txt").read_bytes() == "ä b\nc\n".encode()


def test_what_is_quoted_is_short_and_printable():
    assert quote("a\x1b[31m") == r"'a\x1b[31m'"
    assert len(quote("a" * 1000)) < 70


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "\x1b[0m", "a" * 201, "a\u202eb"])
def test_a_class_name_is_short_and_printable(name):
    with pytest.raises(UserError, match=r"^names has .* for a class name"):
        check_class(name, "names")
    assert check_class(" traffic light ", "names") == "traffic light"
