"""The page shows what was found, survives hostile names and pictures, and is the same bytes for the same data."""

import random
import re
from functools import partial
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.data.conversion.examined import Offence
from netwright.data.report.page import make_page
from netwright.data.report.page_boxes import draw_labels, draw_offences
from netwright.data.report.page_charts import lay_out
from netwright.data.report.page_findings import LISTED, PICTURED
from netwright.data.report.report import make_report
from netwright.data.report.thumbnails import Thumbnail, make_thumbnail
from netwright.data.splitting.audit import DuplicatePair
from netwright.errors import UserError
from tests.data.examined_pictures import CLASSES, HOSTILE, INF, OFFENCES, PICTURES, about, encoded, examined, survey_of

DUPLICATES = (
    DuplicatePair(kind="exact", first="a", second="b", first_split="train", second_split="val", distance=0),
    DuplicatePair(kind="near", first="a", second=HOSTILE, first_split="train", second_split="test", distance=5),
)
VOID = {"meta", "br", "img", "link", "input"}


def picture_of(name: str) -> bytes:
    if name == "gone":
        raise FileNotFoundError(2, "No such file or directory", f"/machine/secret/{name}")
    assert name != "bomb", "a refused picture must not be opened again"
    return encoded((64, 48))


def page_of(pictures=PICTURES, offences=OFFENCES, read=picture_of, **changes) -> str:
    told = about(**{"duplicates": DUPLICATES} | changes)
    survey = survey_of(pictures, told.classes)
    return make_page(
        make_report(told, survey, iter(offences)),
        survey,
        iter(offences),
        lambda name: make_thumbnail(partial(read, name)),
    )


class Tags(HTMLParser):
    """Every tag with its attributes, all closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def tags_of(page: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(page)
    parser.close()
    assert not parser.open
    return parser.seen


def test_the_page_is_well_formed_and_asks_for_nothing_from_outside():
    page = page_of()
    tags = tags_of(page)
    assert not {"script", "link", "iframe", "img"} & {tag for tag, _ in tags}
    addresses = [value for _, attrs in tags for name, value in attrs.items() if name in ("href", "src")]
    assert addresses
    assert all(address and address.startswith(("#", "data:image/jpeg;base64,")) for address in addresses)
    assert not re.search(r"https?:|url\(|@import", page)


def test_hostile_names_are_shown_and_change_nothing():
    page = page_of()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&amp;\\u202e gnp.\\u0000evil\\udcff" in page
    page.encode("utf-8")


def test_links_inside_the_page_have_their_targets():
    tags = tags_of(page_of())
    targets = {attrs["id"] for _, attrs in tags if "id" in attrs}
    links = {str(attrs["href"])[1:] for tag, attrs in tags if tag == "a"}
    assert links <= targets


def test_the_same_data_gives_the_same_bytes_whatever_its_order():
    pictures, offences = list(PICTURES), list(OFFENCES)
    random.Random(1).shuffle(pictures)
    random.Random(2).shuffle(offences)
    assert page_of(pictures, offences) == page_of()


def test_the_page_tells_of_rules_splits_mapping_duplicates_and_fingerprint():
    page = page_of(group_origin="videos, by the frame number in their names")
    for told in ("ab" * 32, "grouped by video", "videos, by the frame number", "dropped", "near, 5 bits apart", "clip"):
        assert told in page
    for rule in {offence.rule for offence in OFFENCES}:
        assert f'id="rule-{rule}"' in page


def test_broken_and_missing_pictures_are_said_without_their_place_on_the_disk():
    page = page_of()
    assert "there is no such picture" in page
    assert "the picture cannot be decoded" in page
    assert "/machine/secret" not in page


def test_an_empty_dataset_has_a_page():
    tags_of(page_of((), (), classes=(), mapping=(), duplicates=(), fingerprint=""))


def test_of_many_offenders_a_few_are_shown_and_the_rest_counted():
    offences = [
        Offence(rule="tiny", name=f"{number:04d}", label="cat", box=(1.0, 1.0, 2.0, 2.0), reason="tiny", action="keep")
        for number in range(2000)
    ]
    asked: list[str] = []

    def read(name: str) -> bytes:
        asked.append(name)
        return encoded()

    page = page_of((), offences, read, duplicates=())
    assert len(asked) == len(set(asked)) == PICTURED
    assert f"{LISTED - PICTURED} more pictures" in page
    assert f"And {2000 - LISTED:,} more" in page


def test_which_offenders_are_shown_depends_on_no_order():
    offences = [
        Offence(rule="tiny", name=f"{number % 150}", label="cat", box=(1.0, 1.0, 2.0, number + 2.0), reason="x")
        for number in range(600)
    ]
    expected = page_of((), offences, duplicates=())
    random.Random(4).shuffle(offences)
    assert page_of((), offences, duplicates=()) == expected


def test_a_reason_as_long_as_a_book_is_cut():
    reason = "<b>" * 100_000
    page = page_of((), [Offence(rule="bad_label", name="a" * 100_000, label=None, box=None, reason=reason)])
    assert len(page) < 100_000
    assert "&lt;b&gt;" * 300 in page


def test_many_classes_and_groups_are_told_of_in_part():
    classes = tuple(f"class {number}" for number in range(3000))
    pictures = [
        examined(f"{split}{number}", [[1, 1, 9, 9]], [classes[number]], split=split, group=f"g{number}")
        for number in range(300)
        for split in ("train", "test")
    ]
    mapping = tuple((name, name, 1) for name in classes)
    page = page_of(pictures, (), classes=classes, mapping=mapping, duplicates=())
    assert "The first 200 of 3000" in page
    assert "300: g0, g1, g10" in page
    assert len(page) < 1_000_000


def test_many_offences_of_one_picture_are_a_few_boxes_and_a_count():
    offences = [
        Offence(rule="tiny", name="a", label="cat", box=(float(x), 1.0, x + 1.0, 2.0), reason="tiny", action="keep")
        for x in range(500)
    ]
    page = page_of(PICTURES, offences, duplicates=())
    assert page == page_of(PICTURES, offences[::-1], duplicates=())
    assert page.count('class="frame"') < 100
    assert "And 488 more" in page


corner = st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.floats(-200, 200), st.just(0.0))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(corner, corner, corner, corner), max_size=4), st.integers(1, 5000), st.integers(1, 5000))
def test_an_offending_box_is_drawn_inside_the_view_and_large_enough_to_see(boxes, width, height):
    offences = [Offence(rule="x", name="a", label="a long class name " * 3, box=box, reason="") for box in boxes]
    drawing = draw_offences(offences, Thumbnail(address="data:", width=width, height=height))
    left, top, wide, tall = drawing.view
    assert drawing.letters > 0
    for box in drawing.boxes:
        assert left - 0.02 <= box.x <= box.x + box.width <= left + wide + 0.03
        assert top - 0.02 <= box.y <= box.y + box.height <= top + tall + 0.03
        assert min(box.width, box.height) > 0


def test_a_box_inside_the_picture_is_drawn_where_it_is():
    thumbnail = Thumbnail(address="data:", width=640, height=480)
    drawing = draw_labels(examined("a", [[10, 20, 110, 220]], ["cat"], size=(640, 480)), thumbnail, CLASSES)
    box = drawing.boxes[0]
    assert drawing.view == (0.0, 0.0, 640, 480)
    assert (box.x, box.y, box.width, box.height, box.name) == (10, 20, 100, 200, "cat")


def test_an_inverted_box_is_drawn_the_right_way_round_and_one_beyond_the_picture_at_the_edge():
    thumbnail = Thumbnail(address="data:", width=100, height=100)
    inverted = Offence(rule="inverted", name="a", label="cat", box=(60.0, 70.0, 20.0, 30.0), reason="")
    box = draw_offences([inverted], thumbnail).boxes[0]
    assert (box.x, box.y, box.width, box.height) == (20, 30, 40, 40)
    beyond = Offence(rule="outside", name="a", label="cat", box=(500.0, 20.0, INF, 60.0), reason="")
    drawing = draw_offences([beyond], thumbnail)
    assert drawing.view == (-12, -12, 124, 124)
    assert drawing.boxes[0].x + drawing.boxes[0].width == pytest.approx(112)


def test_thumbnails_are_small_and_stand_upright():
    turned = make_thumbnail(lambda: encoded((900, 300), form="JPEG", exif=b"Exif\0\0" + _orientation(6)))
    assert (turned.width, turned.height, turned.trouble) == (300, 900, "")
    assert len(turned.address) < 8000


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_every_colour_mode_has_a_thumbnail(mode):
    assert make_thumbnail(lambda: encoded(mode=mode)).address


@pytest.mark.parametrize(
    ("content", "trouble"),
    [
        (b"", "cannot be decoded"),
        (b"<html>", "cannot be decoded"),
        (encoded((300, 300), form="JPEG")[:400], "cannot be decoded"),
        (encoded((20000, 20000), mode="1"), "too large"),
    ],
)
def test_a_broken_picture_is_a_word_of_trouble(content, trouble):
    assert trouble in make_thumbnail(lambda: content).trouble


@pytest.mark.parametrize("error", [UserError("no"), PermissionError(13, "denied", "/machine/x"), KeyError("a")])
def test_a_picture_that_cannot_be_read_is_a_word_of_trouble(error):
    def read() -> bytes:
        raise error

    assert "picture" in make_thumbnail(read).trouble
    assert "/machine" not in make_thumbnail(read).trouble


def test_a_chart_leaves_out_the_empty_ends_and_names_its_bins():
    chart = lay_out({"starts": [0, 1, 2, 3, 5], "counts": [0, 2, 0, 4, 0]}, "Boxes", "count", whole=True)
    assert [(bar.label, bar.tip) for bar in chart.bars] == [("1", "1: 2"), ("2", "2: 0"), ("3–4", "3 to 4: 4")]
    assert chart.bars[2].height == 2 * chart.bars[0].height
    last = lay_out({"starts": [0, 10], "counts": [0, 7]}, "Sizes", "pixels")
    assert last.bars[0].tip == "10 or more: 7"


def _orientation(turn: int) -> bytes:
    """A TIFF header with one entry: orientation."""
    return b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + bytes([turn]) + b"\0\0\0\0\0\0\0"
