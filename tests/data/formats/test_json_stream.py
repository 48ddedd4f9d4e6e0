import io
import json
import math
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.data.formats import json_stream
from netwright.data.formats.json_stream import stream_object
from netwright.errors import UserError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    value=st.dictionaries(st.text(max_size=6), VALUES | st.lists(VALUES, max_size=5), max_size=4),
    indent=st.sampled_from([None, 2]),
    escaped=st.booleans(),
)
def test_gives_the_same_elements_as_json_wherever_the_chunks_end(value, indent, escaped):
    text = json.dumps(value, indent=indent, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    try:
        text.decode()
    except UnicodeDecodeError:  # half of a surrogate pair, unescaped, is no UTF-8
        return
    wanted = []
    for key, element in json.loads(text).items():
        wanted += [(key, item) for item in element] if isinstance(element, list) else [(key, element)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "_CHUNK", 1)
        assert list(json_stream._Window(io.BytesIO(text)).members()) == wanted


def test_reads_what_pythons_json_writes_for_nan_and_a_byte_order_mark(tmp_path):
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"a": [NaN, -Infinity], "b": 12}')
    (_, nan), (_, infinity), last = stream_object(tmp_path / "a.json")
    assert math.isnan(nan)
    assert infinity == -math.inf
    assert last == ("b", 12)


BROKEN = {
    "empty": b"",
    "cut off": b'{"images": [{"id": 1}, {"id"',
    "cut off in a list": b'{"images": [{"id": 1},',
    "a list": b"[1, 2]",
    "more text": b'{"a": 1} {"b": 2}',
    "no comma": b'{"a": [1 2]}',
    "key without quotes": b"{a: 1}",
    "number as key": b"{1: 1}",
    "binary": bytes(range(256)),
    "latin-1": '{"a": ["é"]}'.encode("latin-1"),
    "utf-16": '{"a": ["é"]}'.encode("utf-16"),
    "deep": b'{"a": ' + b"[" * 100_000,
    "deeper in an element": b'{"a": [' + b'{"a":' * 100_000,
    "huge number": b'{"a": ' + b"9" * 10_000 + b"}",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_refuses_what_is_no_object_in_one_short_line_naming_the_file(tmp_path, content):
    (tmp_path / "broken.json").write_bytes(content)
    with pytest.raises(UserError, match=r"broken\.json") as caught:
        list(stream_object(tmp_path / "broken.json"))
    assert len(str(caught.value)) < 300 + len(str(tmp_path))


def test_refuses_an_element_that_never_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(json_stream, "LARGEST_ELEMENT", 1 << 20)
    (tmp_path / "a.json").write_bytes(b'{"a": "' + b"x" * (4 << 20))
    with pytest.raises(UserError, match="more than 1 MB"):
        list(stream_object(tmp_path / "a.json"))


def test_memory_does_not_grow_with_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(json_stream, "_CHUNK", 1 << 16)
    element = json.dumps({"id": 1, "segmentation": [[1.5] * 200]})
    peaks = []
    for count in (500, 4_000):
        (tmp_path / "a.json").write_text('{"annotations": [' + ",".join([element] * count) + "]}")
        tracemalloc.start()
        assert sum(1 for _ in stream_object(tmp_path / "a.json")) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
    assert peaks[1] < (tmp_path / "a.json").stat().st_size / 5
