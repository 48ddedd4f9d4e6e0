"""Converting once more: only what changed is looked at, and the result is what a first conversion would have made."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from netwright.artifacts.dataset import read_manifest, read_records
from netwright.data.checks.validate import ExaminePolicy
from netwright.data.conversion import scan as scanning
from netwright.data.conversion.convert import Recipe, convert_dataset
from netwright.data.conversion.raw import RawBox, RawDataset, RawLabels, RawPicture
from netwright.data.conversion.scratch import dataset_scratch
from netwright.data.splitting.division import SplitPolicy
from netwright.errors import UserError

SHARES = {"train": 0.5, "val": 0.25, "test": 0.25}


def one_box(place: int) -> RawLabels:
    return RawLabels(boxes=(RawBox(label="car", corners=(place, 1, place + 9, 20)),))


def write_picture(folder: Path, number: int, seed: int = 0) -> None:
    noise = Image.frombytes("RGB", (12, 9), bytes((number * 7 + seed + 31 * i * i) % 256 for i in range(12 * 9 * 3)))
    noise.resize((64, 48), Image.Resampling.BICUBIC).save(folder / f"{number:03d}.png")


def raw_dataset(folder: Path, *, backwards: bool = False) -> RawDataset:
    files = sorted(folder.glob("*.png"), reverse=backwards)
    pictures = [
        RawPicture(
            name=path.stem,
            content=path,
            labels=partial(one_box, int(path.stem) % 40),
            state="1",
            source=path.name,
            split=("train", "train", "val", "test")[int(path.stem) % 4],
        )
        for path in files
    ]
    return RawDataset(format="kitti", classes=(), pictures=pictures, count=len(pictures))


def convert(folder: Path, output: Path, *, workers: int = 1, backwards: bool = False, scratch: Path | None = None):
    recipe = Recipe(
        name="cars", checks=ExaminePolicy(), split=SplitPolicy(group_by="none", shares=SHARES, seed=1), leakage="warn"
    )
    return convert_dataset(
        raw_dataset(folder, backwards=backwards),
        output,
        recipe,
        source=folder,
        scratch=scratch or output.parent / "scratch",
        workers=workers,
        progress=lambda _step, _total: lambda _done: None,
    )


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    for number in range(24):
        write_picture(folder, number)
    return folder


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "_PIECE", 2)
    monkeypatch.setattr(scanning, "_SAVE_EVERY", 1)


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_neither_the_order_of_files_nor_the_number_of_workers_changes_a_byte(pictures, tmp_path, small_pieces):
    convert(pictures, tmp_path / "one/out")
    convert(pictures, tmp_path / "two/out", workers=3, backwards=True)
    assert content_of(tmp_path / "one/out") == content_of(tmp_path / "two/out")


def test_nothing_is_examined_or_written_when_nothing_changed(pictures, tmp_path):
    assert convert(pictures, tmp_path / "out").scan.examined == 24
    first = {path.name: path.stat().st_ino for path in (tmp_path / "out").glob("*.parquet")}
    before = content_of(tmp_path / "out")
    assert convert(pictures, tmp_path / "out").scan.examined == 0
    assert {path.name: path.stat().st_ino for path in (tmp_path / "out").glob("*.parquet")} == first
    assert content_of(tmp_path / "out") == before


def test_one_changed_picture_is_examined_and_its_shard_alone_is_written(pictures, tmp_path):
    convert(pictures, tmp_path / "out")
    first = {path.name: path.stat().st_ino for path in (tmp_path / "out").glob("*.parquet")}
    write_picture(pictures, 6, seed=50)
    assert convert(pictures, tmp_path / "out").scan.examined == 1
    second = {path.name: path.stat().st_ino for path in (tmp_path / "out").glob("*.parquet")}
    assert [name for name in first if first[name] != second[name]] == ["val-000.parquet"]
    convert(pictures, tmp_path / "afresh/out")
    assert content_of(tmp_path / "out") == content_of(tmp_path / "afresh/out")


def test_added_and_removed_pictures_are_noticed(pictures, tmp_path):
    convert(pictures, tmp_path / "out")
    (pictures / "005.png").unlink()
    write_picture(pictures, 99)
    assert convert(pictures, tmp_path / "out").scan.examined == 1
    names = {record.name for split in SHARES for record in read_records(tmp_path / "out", split)}
    assert "099" in names
    assert "005" not in names
    convert(pictures, tmp_path / "afresh/out")
    assert content_of(tmp_path / "out") == content_of(tmp_path / "afresh/out")


def test_a_conversion_that_stopped_goes_on_where_it_was(pictures, tmp_path, small_pieces):
    (pictures / "020.png").write_bytes(b"broken")
    with pytest.raises(UserError, match="'020'"):
        convert(pictures, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    write_picture(pictures, 20)
    assert convert(pictures, tmp_path / "out").scan.examined == 4


def test_whoever_empties_or_spoils_scratch_gets_the_same_dataset(pictures, tmp_path):
    convert(pictures, tmp_path / "out")
    before = content_of(tmp_path / "out")
    for path in (tmp_path / "scratch").rglob("*"):
        if path.is_file() and path.name != "lock":
            path.unlink()
            path.write_bytes(b"spoilt")
    for path in (tmp_path / "out").iterdir():
        path.unlink()
    convert(pictures, tmp_path / "out")
    assert content_of(tmp_path / "out") == before


def test_scratch_keeps_no_shard_and_the_dataset_none_of_before(pictures, tmp_path):
    convert(pictures, tmp_path / "out")
    (tmp_path / "out/train-001.parquet").write_bytes(b"of an earlier conversion")
    write_picture(pictures, 6, seed=50)
    convert(pictures, tmp_path / "out")
    assert list((tmp_path / "scratch").rglob("shards/*")) == []
    shards = {shard.file for shard in read_manifest(tmp_path / "out").shards}
    assert {path.name for path in (tmp_path / "out").iterdir()} == shards | {
        "manifest.json",
        "report.json",
        "index.html",
    }


def test_a_spoilt_or_missing_shard_of_the_dataset_is_written_again(pictures, tmp_path):
    convert(pictures, tmp_path / "out")
    before = content_of(tmp_path / "out")
    (tmp_path / "out/train-000.parquet").write_bytes(b"spoilt")
    (tmp_path / "out/val-000.parquet").unlink()
    convert(pictures, tmp_path / "out")
    assert content_of(tmp_path / "out") == before


def test_a_dataset_that_was_copied_is_taken_as_it_is(pictures, tmp_path):
    convert(pictures, tmp_path / "out")
    copied = tmp_path / "copied"
    shutil.copytree(tmp_path / "out", copied)
    (tmp_path / "out").rename(tmp_path / "away")
    copied.rename(tmp_path / "out")
    places = {path.name: path.stat().st_ino for path in (tmp_path / "out").glob("*.parquet")}
    convert(pictures, tmp_path / "out")
    assert {path.name: path.stat().st_ino for path in (tmp_path / "out").glob("*.parquet")} == places


def test_other_code_examines_everything_again(pictures, tmp_path, monkeypatch):
    convert(pictures, tmp_path / "out")
    monkeypatch.setattr(scanning, "code_digest", lambda *_: "edited")
    assert convert(pictures, tmp_path / "out").scan.examined == 24


def test_a_catalogue_of_another_form_is_made_anew(pictures, tmp_path, monkeypatch):
    convert(pictures, tmp_path / "out")
    before = content_of(tmp_path / "out")
    base = next((tmp_path / "scratch").rglob("catalogue.sqlite"))
    with closing(sqlite3.connect(base)) as changed:
        changed.execute("ALTER TABLE picture DROP COLUMN lines")
        changed.execute("PRAGMA user_version = 1")
        changed.commit()
    assert convert(pictures, tmp_path / "out").scan.examined == 24
    assert content_of(tmp_path / "out") == before


def test_a_conversion_waits_for_another_of_the_same_dataset(pictures, tmp_path, capsys):
    with ThreadPoolExecutor(1) as other:
        with dataset_scratch(tmp_path / "scratch", pictures, "cars"):
            waiting = other.submit(convert, pictures, tmp_path / "out")
            while "waits" not in capsys.readouterr().out and not waiting.done():
                time.sleep(0.01)
            assert not waiting.done()
            assert not (tmp_path / "out/manifest.json").exists()
        assert waiting.result().scan.seen == 24


def test_names_that_come_twice_are_refused_with_both_sources(pictures, tmp_path):
    raw = raw_dataset(pictures)
    twice = RawDataset(format="kitti", classes=(), pictures=[*raw.pictures, *raw.pictures][:25], count=25)
    recipe = Recipe(name="cars", checks=ExaminePolicy(), split=SplitPolicy(group_by="none", shares=SHARES, seed=1))
    with pytest.raises(UserError, match=r"two pictures are called '000' \(000.png and 000.png\)"):
        convert_dataset(
            twice,
            tmp_path / "out",
            recipe,
            source=pictures,
            scratch=tmp_path / "scratch",
            workers=1,
            progress=lambda _step, _total: lambda _done: None,
        )


_ENDLESS = """
import sys, time
from netwright.data.feeding.worker_pool import map_in_workers

def nap(seconds):
    time.sleep(seconds)
    return seconds

if __name__ == "__main__":
    print("started", flush=True)
    try:
        for _ in map_in_workers(nap, [0.01] * 10000, workers=2):
            print("done", flush=True)
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_no_worker_outlives_the_conversion(tmp_path, number, status):
    script = tmp_path / "endless.py"
    script.write_text(_ENDLESS)
    root = Path(__file__).parents[3]
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
        start_new_session=True,
    )
    while b"done" not in (line := process.stdout.readline()):
        assert line, process.stderr.read()
    group = os.getpgid(process.pid)
    if number == signal.SIGINT:
        os.killpg(group, number)  # as a terminal does
    else:
        process.kill()
    process.stdout.read()
    assert process.wait(20) == status
    assert b"Traceback" not in process.stderr.read()
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("a worker is still there")
