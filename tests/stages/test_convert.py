"""convert as a plain function: settings in, a folder that the dataset reader understands out."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from netwright.artifacts.dataset import read_manifest, read_records
from netwright.errors import UserError
from stages.convert import run
from stages.settings import Dataset, SceneSettings
from tests.data.miniature import OWN_SPLITS, object_xml, write_voc, write_xml

BCCD = Path(__file__).parents[2] / "../shared/data/bccd"
DIGITS = Dataset(
    name="tiny",
    source="netwright/data/embedded",
    format="auto",
    shards_per_split=1,
    scenes=SceneSettings(train=4, val=2, test=2, size=320, seed=7),
)


@pytest.fixture(autouse=True)
def _project_folder(monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])


@pytest.fixture
def voc(tmp_path):
    return write_voc(tmp_path / "voc", OWN_SPLITS)


def _voc_settings(folder, **changes):
    return replace(DIGITS, name="pets", source=str(folder), **changes)


def test_digits_become_a_readable_dataset_with_report_and_page(tmp_path):
    report = run(dataset=DIGITS, output=tmp_path / "out")
    manifest = read_manifest(tmp_path / "out")
    assert manifest.classes == tuple("0123456789")
    assert manifest.name == "tiny"
    assert [manifest.images(split) for split in ("train", "val", "test")] == [4, 2, 2]
    records = [record for split in ("train", "val", "test") for record in read_records(tmp_path / "out", split)]
    boxes = np.concatenate([record.boxes for record in records])
    assert sum(split["boxes"] for split in report["splits"].values()) == len(boxes)
    assert report["boxes_rejected"] == 0
    assert report["offenders"] == []
    assert json.loads((tmp_path / "out/report.json").read_text()) == report


def test_the_converted_set_names_its_glyphs_and_none_is_in_two_splits(tmp_path):
    run(dataset=DIGITS, output=tmp_path / "out")
    drawn = {}
    for split in ("train", "val", "test"):
        records = list(read_records(tmp_path / "out", split))
        drawn[split] = {int(number) for record in records for number in re.findall(r"\d+", record.source)}
        assert all(len(re.findall(r"\d+", record.source)) == len(record.boxes) for record in records)
    assert all(drawn.values())
    assert not drawn["train"] & drawn["val"]
    assert not (drawn["train"] | drawn["val"]) & drawn["test"]


def test_same_settings_same_bytes_in_every_file(tmp_path):
    for name in ("first", "second"):
        run(dataset=DIGITS, output=tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert len(files) == 6
    assert files == sorted(path.name for path in (tmp_path / "second").iterdir())
    for file in files:
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes(), file


def test_voc_becomes_the_boxes_that_were_written(voc, tmp_path):
    run(dataset=_voc_settings(voc), output=tmp_path / "out")
    record = list(read_records(tmp_path / "out", "train"))[1]
    assert record.name == "img1"
    assert record.boxes.tolist() == [[10, 12, 40, 44], [50, 8, 62, 30]]
    assert record.labels.tolist() == [0, 1]
    assert (record.width, record.height) == (64, 48)
    assert record.image == (voc / "JPEGImages/img1.jpg").read_bytes()


def test_rejected_boxes_are_counted_and_named(voc, tmp_path):
    broken = object_xml("cat", 5, 5, 5, 9) + object_xml("dog", "nan", 1, 5, 9) + object_xml("cat", -4, 1, 5, 9)
    write_xml(voc, "img0", broken, size=(1, 1))
    report = run(dataset=_voc_settings(voc), output=tmp_path / "out")
    counts = {rule: row["count"] for rule, row in report["rules"].items() if row["count"]}
    assert counts == {"degenerate": 1, "not_finite": 1, "clipped": 1, "size_mismatch": 1}
    assert report["boxes_rejected"] == 2
    assert [row["box"] for row in report["offenders"]] == [None, [5, 5, 5, 9], ["nan", 1, 5, 9], [-4, 1, 5, 9]]
    page = (tmp_path / "out/index.html").read_text()
    assert "degenerate" not in page
    assert "box dropped: no width or no height" in page


def test_the_page_needs_nothing_from_elsewhere_and_escapes_names(voc, tmp_path):
    write_xml(voc, "img0", object_xml("&lt;script&gt;", 5, 5, 9, 9))
    run(dataset=_voc_settings(voc), output=tmp_path / "out")
    page = (tmp_path / "out/index.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    addresses = set(re.findall(r'(?:href|src)="([^"#][^"]{0,30})', page))
    assert addresses
    assert all(address.startswith("data:image/jpeg;base64,") for address in addresses)
    assert page.count("<figure>") == 6


def test_a_bad_picture_leaves_no_manifest(voc, tmp_path):
    (voc / "JPEGImages/img3.jpg").write_bytes(b"broken")
    with pytest.raises(UserError, match=r"img3\.jpg"):
        run(dataset=_voc_settings(voc), output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("scenes", "message"), [({"val": 0}, "split 'val' holds no picture"), ({"size": 64}, "320 pixels")]
)
def test_impossible_scenes_are_refused(tmp_path, scenes, message):
    settings = replace(DIGITS, scenes=replace(DIGITS.scenes, **scenes))
    with pytest.raises(UserError, match=message):
        run(dataset=settings, output=tmp_path / "out")


def test_a_split_without_boxes_is_refused(voc, tmp_path):
    write_xml(voc, "img3", "")
    with pytest.raises(UserError, match="split 'val' holds no usable box"):
        run(dataset=_voc_settings(voc), output=tmp_path / "out")


def test_a_second_conversion_leaves_no_file_of_the_first(voc, tmp_path):
    run(dataset=_voc_settings(voc, shards_per_split=3), output=tmp_path / "out")
    run(dataset=_voc_settings(voc), output=tmp_path / "out")
    shards = {path.name for path in (tmp_path / "out").glob("*.parquet")}
    assert shards == {shard.file for shard in read_manifest(tmp_path / "out").shards}


@pytest.mark.skipif(not BCCD.is_dir(), reason="needs BCCD beside the repository, in ../shared/data/bccd")
def test_bccd_keeps_all_boxes_but_its_two_degenerate_ones(tmp_path):
    report = run(dataset=replace(DIGITS, name="bccd", source=str(BCCD)), output=tmp_path / "out")
    assert report["classes"] == ["Platelets", "RBC", "WBC"]
    splits = report["splits"]
    assert [splits[split]["images"] for split in ("train", "val", "test")] == [205, 87, 72]
    assert sum(row["boxes"] for row in splits.values()) == 4888 - 2
    found = [(row["name"], row["rule"], row["box"]) for row in report["offenders"]]
    assert found == [
        ("BloodImage_00338", "degenerate", [504, 337, 504, 337]),
        ("BloodImage_00343", "degenerate", [181, 329, 181, 329]),
    ]
