"""convert as a plain function: settings in, a folder that the dataset reader understands out."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from netwright.artifacts.dataset import read_manifest, read_records
from netwright.errors import UserError
from pipelines.compose import composed
from stages._entry.app import validated
from stages.convert import run
from tests.data.miniature import BOXES, OWN_SPLITS, object_xml, write_voc, write_xml

ROOT = Path(__file__).parents[2]
BCCD = ROOT / "../shared/data/bccd"
SPLITS = ("train", "val", "test")


@pytest.fixture(scope="module")
def digits():
    """conf/dataset/digits.yaml with a few scenes."""
    dataset = validated(composed(["dataset=digits"])).dataset
    return replace(
        dataset, name="tiny", format="auto", scenes=replace(dataset.scenes, train=4, val=2, test=2), leakage="warn"
    )


@pytest.fixture(autouse=True)
def _project_folder(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture
def voc(tmp_path):
    return write_voc(tmp_path / "voc", OWN_SPLITS)


@pytest.fixture
def pets(digits, voc):
    return replace(digits, name="pets", source=str(voc))


@pytest.fixture
def convert(tmp_path):
    """Convert on one processor, into tmp_path/out."""

    def run_once(dataset, output="out"):
        return run(dataset=dataset, output=tmp_path / output, scratch=tmp_path / "scratch", workers=1)

    return run_once


def test_digits_become_a_readable_dataset_with_report_and_page(convert, digits, tmp_path):
    report = convert(digits)
    manifest = read_manifest(tmp_path / "out")
    assert manifest.classes == tuple("0123456789")
    assert manifest.name == "tiny"
    assert [manifest.images(split) for split in SPLITS] == [4, 2, 2]
    records = [record for split in SPLITS for record in read_records(tmp_path / "out", split)]
    boxes = np.concatenate([record.boxes for record in records])
    assert sum(split["boxes"] for split in report["splits"].values()) == len(boxes)
    written = json.loads((tmp_path / "out/report.json").read_text())
    assert written.pop("offenders") == []
    assert written == report
    assert manifest.fingerprint == report["fingerprint"]


def test_the_converted_set_names_its_glyphs_and_none_is_in_two_splits(convert, digits, tmp_path):
    convert(digits)
    drawn = {}
    for split in SPLITS:
        records = list(read_records(tmp_path / "out", split))
        drawn[split] = {int(number) for record in records for number in re.findall(r"\d+", record.source)}
        assert all(len(re.findall(r"\d+", record.source)) == len(record.boxes) for record in records)
    assert all(drawn.values())
    assert not drawn["train"] & drawn["val"]
    assert not (drawn["train"] | drawn["val"]) & drawn["test"]


def test_same_settings_same_bytes_in_every_file(digits, tmp_path):
    for name in ("first", "second"):
        run(dataset=digits, output=tmp_path / name, scratch=tmp_path / f"scratch of {name}", workers=1)
    files = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert len(files) == 6
    assert files == sorted(path.name for path in (tmp_path / "second").iterdir())
    for file in files:
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes(), file


def test_voc_becomes_the_boxes_that_were_written(convert, pets, voc, tmp_path):
    convert(pets)
    record = list(read_records(tmp_path / "out", "train"))[1]
    assert record.name == "img1"
    assert record.boxes.tolist() == [[10, 12, 40, 44], [50, 8, 62, 30]]
    assert record.labels.tolist() == [0, 1]
    assert (record.width, record.height) == (64, 48)
    assert record.image == (voc / "JPEGImages/img1.jpg").read_bytes()


def test_dropped_boxes_are_counted_and_named(convert, pets, voc, tmp_path):
    broken = object_xml("cat", 5, 5, 5, 9) + object_xml("dog", "nan", 1, 5, 9) + object_xml("cat", -4, 1, 5, 9)
    write_xml(voc, "img0", broken, size=(1, 1))
    report = convert(pets)
    counts = {rule: row["count"] for rule, row in report["rules"].items() if row["count"]}
    assert counts == {"zero_area": 1, "not_finite": 1, "overhang": 1, "size_mismatch": 1}
    assert (report["boxes_dropped"], report["boxes_clipped"]) == (2, 1)
    offenders = json.loads((tmp_path / "out/report.json").read_text())["offenders"]
    assert [row["box"] for row in offenders] == [None, [5, 5, 5, 9], ["nan", 1, 5, 9], [-4, 1, 5, 9]]


def test_a_class_is_renamed_another_dropped_and_both_are_counted(convert, pets, tmp_path):
    report = convert(replace(pets, class_mapping={"cat": "animal", "dog": None}))
    assert report["classes"] == ["animal"]
    assert report["class_mapping"] == [
        {"source": "cat", "target": "animal", "boxes": 6},
        {"source": "dog", "target": None, "boxes": 3},
    ]
    assert all(record.labels.tolist() == [0] for record in read_records(tmp_path / "out", "train"))


def test_a_rule_set_to_fail_stops_with_the_picture_and_the_way_out(convert, pets, voc, tmp_path):
    write_xml(voc, "img2", object_xml("cat", -4, 1, 5, 9))
    with pytest.raises(UserError, match=r"'img2'.*\(rule overhang\).*dataset.on_invalid.overhang to clip or drop"):
        convert(replace(pets, on_invalid=replace(pets.on_invalid, overhang="fail")))
    assert not (tmp_path / "out").exists()


def test_a_picture_in_two_splits_is_told_and_may_stop_the_conversion(convert, pets, voc, tmp_path, capsys):
    copy = (voc / "JPEGImages/img0.jpg").read_bytes()
    (voc / "JPEGImages/img3.jpg").write_bytes(copy)  # img0 is in train, img3 in val
    report = convert(pets)
    assert report["leakage"]["exact"] >= 1
    assert "'img0' (train) and 'img3' (val" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"'img0' \(train\) and 'img3' \(val.*dataset.leakage"):
        convert(replace(pets, leakage="fail"), "strict")
    assert not (tmp_path / "strict").exists()


def test_without_split_files_pictures_are_divided_and_the_report_says_how(convert, digits, tmp_path):
    folder = write_voc(tmp_path / "undivided", None)
    report = convert(replace(digits, name="pets", source=str(folder)))
    assert all(report["splits"][split]["images"] for split in SPLITS)
    assert sum(report["splits"][split]["images"] for split in SPLITS) == 6
    assert "seed 7" in report["split_origin"]


def test_the_page_escapes_names(convert, pets, voc, tmp_path):
    write_xml(voc, "img0", object_xml("&lt;script&gt;alert", *BOXES["cat"]))
    convert(pets)
    page = (tmp_path / "out/index.html").read_text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_a_bad_picture_leaves_no_file(convert, pets, voc, tmp_path):
    (voc / "JPEGImages/img3.jpg").write_bytes(b"broken")
    with pytest.raises(UserError, match="img3"):
        convert(pets)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("scenes", "message"), [({"val": 0}, "dataset.scenes.val is 0"), ({"size": 64}, "320 pixels")])
def test_impossible_scenes_are_refused(convert, digits, scenes, message):
    with pytest.raises(UserError, match=message):
        convert(replace(digits, scenes=replace(digits.scenes, **scenes)))


def test_a_split_without_boxes_is_refused(convert, pets, voc):
    write_xml(voc, "img3", "")
    with pytest.raises(UserError, match="split 'val' holds no usable box"):
        convert(pets)


def test_a_second_conversion_leaves_no_file_of_the_first(convert, pets, tmp_path):
    convert(pets)
    (tmp_path / "out/train-007.parquet").write_bytes(b"of an earlier conversion")
    convert(pets)
    shards = {path.name for path in (tmp_path / "out").glob("*.parquet")}
    assert shards == {shard.file for shard in read_manifest(tmp_path / "out").shards}


@pytest.mark.skipif(not BCCD.is_dir(), reason="needs BCCD beside the repository, in ../shared/data/bccd")
def test_bccd_keeps_all_boxes_but_its_two_degenerate_ones(digits, convert, tmp_path):
    report = convert(replace(digits, name="bccd", source=str(BCCD)))
    assert report["classes"] == ["Platelets", "RBC", "WBC"]
    splits = report["splits"]
    assert [splits[split]["images"] for split in SPLITS] == [205, 87, 72]
    assert sum(row["boxes"] for row in splits.values()) == 4888 - 2
    offenders = json.loads((tmp_path / "out/report.json").read_text())["offenders"]
    assert [(row["name"], row["rule"], row["box"]) for row in offenders] == [
        ("BloodImage_00338", "zero_area", [504, 337, 504, 337]),
        ("BloodImage_00343", "zero_area", [181, 329, 181, 329]),
    ]


@pytest.mark.parametrize("kind", ["zip", "gztar"])
def test_an_archive_gives_the_dataset_that_its_folder_gives(convert, pets, voc, tmp_path, kind):
    write_xml(voc, "img0", object_xml("cat", 9, 9, 5, 5))
    from_folder = convert(pets)
    archive = shutil.make_archive(str(tmp_path / "pets"), kind, voc.parent, voc.name)
    shutil.rmtree(voc)
    from_archive = convert(replace(pets, source=archive), "out2")
    assert from_archive == from_folder
    for name in ("manifest.json", "report.json", "index.html"):
        assert (tmp_path / "out2" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_an_archive_that_changed_is_converted_anew(convert, pets, voc, tmp_path):
    source = shutil.make_archive(str(tmp_path / "pets"), "zip", voc)
    before = convert(replace(pets, source=source))
    write_xml(voc, "img1", object_xml("cat", *BOXES["cat"]))  # without its dog
    shutil.make_archive(str(tmp_path / "pets"), "zip", voc)
    after = convert(replace(pets, source=source))
    assert before["splits"]["train"]["boxes"] - after["splits"]["train"]["boxes"] == 1
    assert before["fingerprint"] != after["fingerprint"]


def test_a_source_that_is_another_file_is_refused(convert, pets, tmp_path):
    (tmp_path / "pets.rar").write_bytes(b"Rar!")
    with pytest.raises(UserError, match=r"give a folder or one of \.zip"):
        convert(replace(pets, source=str(tmp_path / "pets.rar")))
