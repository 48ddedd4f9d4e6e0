import numpy as np
import pytest
from sklearn.datasets import load_digits

from netwright.data.embedded.glyphs import load_glyphs, split_glyphs


def test_every_glyph_belongs_to_exactly_one_split():
    parts = split_glyphs(load_digits().target, seed=7)
    assert sorted(np.concatenate(list(parts.values()))) == list(range(1797))


def test_the_same_drawing_never_stands_in_two_splits():
    glyphs = load_glyphs(7)
    drawings = [{glyphs.images[index].tobytes() for index in part} for part in glyphs.indices.values()]
    assert not drawings[0] & drawings[1]
    assert not drawings[0] & drawings[2]
    assert not drawings[1] & drawings[2]


@pytest.mark.parametrize(("split", "share"), [("train", 0.6), ("val", 0.2), ("test", 0.2)])
def test_each_split_has_its_share_of_every_class(split, share):
    labels = load_digits().target
    found = np.bincount(labels[split_glyphs(labels, seed=7)[split]], minlength=10)
    assert np.abs(found - share * np.bincount(labels)).max() <= 1


def test_split_depends_on_the_seed_alone():
    labels = load_digits().target
    assert (split_glyphs(labels, seed=1)["val"] == split_glyphs(labels, seed=1)["val"]).all()
    assert set(split_glyphs(labels, seed=1)["val"]) != set(split_glyphs(labels, seed=2)["val"])
