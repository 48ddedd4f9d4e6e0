"""A thumbnail is made once for as long as its picture stays the same, and is never another picture's."""

import pytest

from netwright.data.conversion import kept_thumbnails
from netwright.data.conversion.catalogue import Catalogue
from netwright.data.conversion.catalogue_row import COLUMNS
from netwright.data.conversion.kept_thumbnails import KeptThumbnails
from netwright.data.report.thumbnails import make_thumbnail
from tests.data.examined_pictures import encoded


@pytest.fixture
def catalogue(tmp_path):
    with Catalogue(tmp_path / "catalogue.sqlite") as catalogue:
        yield catalogue


def put(catalogue, name, content, state):
    columns = {"name": name, "state": state, "path": "", "content": content}
    row = [columns.get(column.split()[0]) for column in COLUMNS]
    catalogue.put([row])


def test_an_unchanged_picture_is_decoded_once(catalogue, monkeypatch):
    put(catalogue, "a", encoded((64, 48)), b"one")
    first = KeptThumbnails(catalogue).of("a")
    assert first == make_thumbnail(lambda: encoded((64, 48)))
    monkeypatch.setattr(kept_thumbnails, "make_thumbnail", None)
    assert KeptThumbnails(catalogue).of("a") == first


def test_a_changed_picture_is_decoded_again_and_the_old_one_is_forgotten(catalogue):
    put(catalogue, "a", encoded((64, 48)), b"one")
    KeptThumbnails(catalogue).of("a")
    put(catalogue, "a", encoded((32, 48)), b"two")
    kept = KeptThumbnails(catalogue)
    assert (kept.of("a").width, kept.of("a").height) == (32, 48)
    catalogue.forget_notes(kept.keys)
    (key,) = kept.keys
    assert catalogue.noted(key)
    put(catalogue, "a", encoded((64, 48)), b"one")
    assert KeptThumbnails(catalogue).of("a").width == 64


def test_a_picture_that_is_unknown_says_so(catalogue):
    assert KeptThumbnails(catalogue).of("gone").trouble == "there is no such picture"
