import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from netwright.artifacts.dataset import Record, read_manifest, write_dataset
from netwright.data.formats import coco, direct
from netwright.errors import UserError
from pipelines import dataset
from pipelines.compose import composed
from pipelines.dataset import SAVE, UNCHECKED, write_as, write_direct
from stages._entry.app import validated
from stages._entry.failures import INTERRUPTED, guarded
from stages.convert import run
from tests.data.formats.test_round_trip import FORMATS, picture
from tests.data.miniature import BOXES, OWN_SPLITS, write_voc

PROJECT = Path(__file__).parents[2]


def record(name, split, **more):
    boxes, labels = np.array([[1, 2, 30, 15.5], [0, 0, 1, 1]], np.float32), np.array([1, 0])
    image = picture(50, 20, "PNG")
    return Record(name=name, split=split, image=image, width=50, height=20, boxes=boxes, labels=labels, **more)


@pytest.fixture
def converted(tmp_path):
    """Two splits; a crowd, a difficult box, a group."""
    flags = {"difficult": np.array([True, False]), "crowd": np.array([False, True]), "group": "video 1"}
    records = [record("a", "train", **flags), record("b c/ä", "val"), record("d", "val")]
    write_dataset(tmp_path / "converted", "tiny", ("cat", "dog"), records)
    return tmp_path / "converted"


def plain(records, count):
    return records


def test_writes_the_formats_that_can_be_read_again():
    assert {name: form.save for name, form in FORMATS.items()} == SAVE


@pytest.mark.parametrize("format_name", SAVE)
def test_writes_every_picture_into_a_new_or_empty_folder(converted, tmp_path, format_name):
    (tmp_path / "empty").mkdir()
    for output in (tmp_path / "empty", tmp_path / "deep" / "new"):
        said = write_as(format_name, converted, output, watch=plain)
        raw = FORMATS[format_name].load(output)
        assert {(item.name, item.split) for item in raw.pictures} == {("a", "train"), ("b c/ä", "val"), ("d", "val")}
        assert said.startswith(f"3 pictures in {output}")
        assert output.stat().st_mode & 0o777 == 0o755
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("format_name", "lost"),
    [
        ("kitti", "difficult of 1, group of 1"),
        ("coco", "group of 1"),
        ("voc", "crowd of 1, group of 1"),
        ("yolo", "difficult of 1, crowd of 1, group of 1"),
    ],
)
def test_says_what_the_format_has_no_field_for(converted, tmp_path, format_name, lost):
    assert write_as(format_name, converted, tmp_path / "out", watch=plain).endswith(
        f"{format_name} has no field for {lost}"
    )


def test_says_nothing_of_fields_that_are_not_used(tmp_path):
    write_dataset(tmp_path / "converted", "tiny", ("cat", "dog"), [record("a", "train")])
    assert write_as("yolo", tmp_path / "converted", tmp_path / "out", watch=plain) == f"1 pictures in {tmp_path}/out"


def test_refuses_a_folder_that_holds_something_and_leaves_it_alone(converted, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        write_as("coco", converted, tmp_path / "out", watch=plain)
    with pytest.raises(UserError, match="is a file"):
        write_as("coco", converted, tmp_path / "out/mine.txt", watch=plain)
    assert [path.read_text() for path in (tmp_path / "out").iterdir()] == ["mine"]


@pytest.mark.parametrize("inner", ["", "inner"])
def test_refuses_to_write_into_the_converted_dataset(converted, inner):
    with pytest.raises(UserError, match="inside the converted dataset"):
        write_as("coco", converted, converted / inner, watch=plain)


@pytest.mark.parametrize("reason", [UserError("stop"), KeyboardInterrupt(), RuntimeError("a defect")], ids=repr)
def test_a_run_that_ends_early_leaves_nothing(converted, tmp_path, reason):
    def stop(records, count):
        yield next(records)
        raise reason

    before = set(tmp_path.rglob("*"))
    for format_name in SAVE:
        with pytest.raises(type(reason)):
            write_as(format_name, converted, tmp_path / "out", watch=stop)
    assert set(tmp_path.rglob("*")) == before


def test_nothing_is_written_outside_by_a_dataset_with_evil_names(tmp_path):
    for number, (name, split) in enumerate([("../../evil", "train"), ("/evil", "train"), ("a", "../evil")]):
        place = tmp_path / str(number)
        manifest = write_dataset(place / "converted", "tiny", ("cat", "dog"), [record(name, "train")])
        if split != "train":
            path = place / "converted/manifest.json"
            path.write_text(path.read_text().replace('"split": "train"', f'"split": "{split}"'))
        assert manifest.classes
        before = set(tmp_path.rglob("*"))
        for format_name in SAVE:
            with pytest.raises(UserError, match="evil"):
                write_as(format_name, place / "converted", place / "out", watch=plain)
        assert set(tmp_path.rglob("*")) == before


def test_the_command_tells_on_stdout_and_complains_in_one_line(converted, tmp_path, monkeypatch, capsys):
    def command(*words):
        monkeypatch.setattr(sys, "argv", ["dataset", *map(str, words)])
        return guarded("dataset", dataset.main)

    given = ("--to", "coco", "--source", converted, "--output")
    assert command(*given, tmp_path / "out") == 0
    assert capsys.readouterr().out == f"dataset: 3 pictures in {tmp_path}/out; coco has no field for group of 1\n"
    assert coco.load(tmp_path / "out").count == 3
    assert command(*given, tmp_path / "out") == 1
    assert capsys.readouterr().err.splitlines() == [
        f"dataset: --output {tmp_path}/out is not empty: give a new or empty folder, nothing is overwritten"
    ]
    assert command("--to", "voc", "--source", tmp_path / "none", "--output", tmp_path / "x") == 1
    assert "run the convert stage first" in capsys.readouterr().err
    monkeypatch.setattr(dataset, "write_as", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    assert command(*given, tmp_path / "y") == INTERRUPTED == 130


def test_the_module_runs_and_imports_no_torch(converted, tmp_path):
    code = "import sys, runpy; sys.argv[1:] = {!r}\ntry: runpy.run_module('pipelines.dataset', run_name='__main__')\n"
    words = ["--to", "yolo", "--source", str(converted), "--output", str(tmp_path / "out")]
    code = (
        code.format(words)
        + "except SystemExit as end: print(end.code, 'torch' in sys.modules, 'mlflow' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "0 False False"
    assert "writing pictures" in ran.stderr


def test_a_dataset_written_back_converts_to_the_same_fingerprint(tmp_path, monkeypatch):
    """The whole way round, checks included: nothing that training sees has changed."""
    monkeypatch.chdir(PROJECT)
    settings = validated(composed(["dataset=digits"])).dataset
    settings = replace(settings, name="pets", format="auto", leakage="warn")

    def convert(source, place):
        run(dataset=replace(settings, source=str(source)), output=place, scratch=place.parent / "scratch", workers=1)
        return read_manifest(place).fingerprint

    source, converted = write_voc(tmp_path / "source", OWN_SPLITS), tmp_path / "converted"
    wanted = convert(source, converted)
    for format_name in SAVE:
        write_as(format_name, converted, tmp_path / format_name, watch=plain)
        converted = tmp_path / f"{format_name} converted"
        assert convert(tmp_path / format_name, converted) == wanted, format_name


def files_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def raw(tmp_path):
    return write_voc(tmp_path / "raw", OWN_SPLITS)


@pytest.mark.parametrize("format_name", SAVE)
def test_a_raw_dataset_is_rewritten_directly_and_says_that_nothing_was_checked(raw, tmp_path, format_name):
    said = write_direct(format_name, raw, tmp_path / "out", watch=plain, workers=1)
    assert said.startswith(f"6 voc pictures copied in {tmp_path}/out")
    assert said.endswith(UNCHECKED)
    found = {item.name: item for item in FORMATS[format_name].load(tmp_path / "out").pictures}
    assert {split: [name for name in found if found[name].split == split] for split in OWN_SPLITS} == OWN_SPLITS
    boxes = [(box.label, box.corners) for box in found["img3"].labels().boxes]
    assert [label for label, _ in boxes] == ["cat", "dog"]
    np.testing.assert_allclose([corners for _, corners in boxes], list(BOXES.values()), atol=1e-4)
    assert found["img3"].read() == (raw / "JPEGImages/img3.jpg").read_bytes()
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]


def test_workers_and_links_do_not_change_what_is_written(raw, tmp_path, monkeypatch):
    monkeypatch.setattr(direct, "_PIECE", 1)  # six pieces: enough for processes to be started
    for name, more in {"one": {"workers": 1}, "two": {"workers": 2}, "link": {"workers": 1, "link": True}}.items():
        write_direct("coco", raw, tmp_path / name, watch=plain, **more)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two") == files_of(tmp_path / "link")
    source = raw / "JPEGImages/img0.jpg"
    assert source.samefile(tmp_path / "link/train2017/img0.jpg")
    assert not source.samefile(tmp_path / "one/train2017/img0.jpg")


def test_an_archive_is_rewritten_and_nothing_of_it_is_left(raw, tmp_path):
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", raw)
    said = write_direct("coco", Path(packed), tmp_path / "out", watch=plain, workers=1)
    write_direct("coco", raw, tmp_path / "wanted", watch=plain, workers=1)
    assert "6 voc pictures copied" in said
    assert files_of(tmp_path / "out") == files_of(tmp_path / "wanted")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "packed.zip", "raw", "wanted"]


def test_what_cannot_be_rewritten_is_refused_and_leaves_nothing(raw, tmp_path):
    broken = [("img0.jpg", b"no picture", "no readable header"), ("img0.jpg", None, "cannot be read")]
    for name, content, message in broken:
        path = raw / "JPEGImages" / name
        path.unlink() if content is None else path.write_bytes(content)
        with pytest.raises(UserError, match=message):
            write_direct("coco", raw, tmp_path / "out", watch=plain, workers=1)
    with pytest.raises(UserError, match="inside"):
        write_direct("coco", raw, raw / "out", watch=plain)
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_the_command_tells_a_raw_source_from_a_converted_one(raw, converted, tmp_path, monkeypatch, capsys):
    def command(*words):
        monkeypatch.setattr(sys, "argv", ["dataset", *map(str, words)])
        return guarded("dataset", dataset.main)

    assert command("--to", "coco", "--source", raw, "--output", tmp_path / "out", "--link") == 0
    assert UNCHECKED in capsys.readouterr().out
    assert command("--to", "coco", "--source", converted, "--output", tmp_path / "x", "--link") == 1
    assert "--link is for a raw dataset" in capsys.readouterr().err
    assert command("--to", "coco", "--source", PROJECT / "netwright/data/embedded", "--output", tmp_path / "x") == 1
    assert "draws its pictures" in capsys.readouterr().err
