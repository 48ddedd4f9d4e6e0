"""The decode cache: right pixels or none, whole files, damage noticed, no disk and no memory too much."""

import errno
import io
import os
import resource
import shutil
import subprocess
import sys
import time
import tracemalloc
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from netwright.artifacts.dataset import MANIFEST, Record, read_manifest, read_records, write_dataset
from netwright.data.feeding import decode_cache, drawing, pictures, resize
from netwright.data.feeding.decode_cache import IN_THE_GRAPH, entry_key
from netwright.data.feeding.drawing import Drawing
from netwright.data.feeding.pictures import CACHE, load_pictures
from netwright.data.feeding.preprocess import decode_picture, fit_picture
from netwright.errors import UserError
from netwright.types import InputSpec

SPEC = InputSpec(height=24, width=32)
OTHER_VALUES = {
    "height": 25,
    "width": 33,
    "colour": "BGR",
    "resize": "stretch",
    "pad_side": "both",
    "pad_value": 3,
    "dtype": "float16",
    "layout": "NHWC",
    "scale": 2.0,
    "mean": (1, 1, 1),
    "std": (1, 1, 1),
}


def _encoded(seed: int, width: int, height: int) -> bytes:
    stream = io.BytesIO()
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()


def _dataset(folder: Path, count: int = 5, first: int = 0, shards: int = 1) -> Path:
    records = [
        Record(
            name=f"{index:04d}",
            split="train",
            image=_encoded(first + index, 40 - index % 4, 30),
            width=40 - index % 4,
            height=30,
            boxes=np.array([[1, 2, 11, 12]], dtype=np.float32),
            labels=np.zeros(1, dtype=np.int64),
        )
        for index in range(count)
    ]
    write_dataset(folder, "tiny", ("thing",), records, shards_per_split=shards, fingerprint=f"{first}-{count}")
    return folder


def _expected(folder: Path, spec: InputSpec = SPEC) -> np.ndarray:
    return np.stack([fit_picture(decode_picture(record.image), spec)[0] for record in read_records(folder, "train")])


def _entries(scratch: Path) -> list[Path]:
    return sorted((scratch / CACHE).glob("*.npy"))


def _draw_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Drawing) -> None:
        raise AssertionError("drawn although the cache holds it")

    monkeypatch.setattr(Drawing, "blocks", refuse)


@pytest.mark.parametrize("spec", [SPEC, replace(SPEC, colour="BGR", pad_side="both", resize="stretch")])
def test_cached_pixels_are_those_of_each_picture_alone(tmp_path: Path, spec: InputSpec) -> None:
    data = _dataset(tmp_path / "data")
    loaded = load_pictures(data, "train", spec, scratch=tmp_path / "scratch")
    in_memory = load_pictures(data, "train", spec)
    assert np.array_equal(loaded.pixels, _expected(data, spec))
    assert np.array_equal(in_memory.pixels, loaded.pixels)
    assert loaded.names == in_memory.names == tuple(f"{index:04d}" for index in range(5))
    assert loaded.geometries == in_memory.geometries
    assert isinstance(loaded.pixels, np.memmap)
    assert not loaded.pixels.flags.writeable
    assert not in_memory.pixels.flags.writeable


def test_a_picture_of_the_inputs_size_keeps_its_pixels(tmp_path: Path) -> None:
    data, spec = _dataset(tmp_path / "data", count=1), InputSpec(height=30, width=40)
    loaded = load_pictures(data, "train", spec, scratch=tmp_path)
    with Image.open(io.BytesIO(_encoded(0, 40, 30))) as picture:
        assert np.array_equal(loaded.pixels[0].transpose(1, 2, 0), np.asarray(picture))


def test_the_second_time_nothing_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = _dataset(tmp_path / "data")
    first = load_pictures(data, "train", SPEC, scratch=tmp_path)
    _draw_nothing(monkeypatch)
    assert np.array_equal(load_pictures(data, "train", SPEC, scratch=tmp_path).pixels, first.pixels)
    assert not list((tmp_path / CACHE).glob(".*.npy.*"))


def test_numpy_reads_an_entry_as_it_is(tmp_path: Path) -> None:
    loaded = load_pictures(_dataset(tmp_path / "data"), "train", SPEC, scratch=tmp_path)
    assert np.array_equal(np.load(_entries(tmp_path)[0], allow_pickle=False), loaded.pixels)


def test_blocks_smaller_than_the_split_keep_the_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = _dataset(tmp_path / "data", count=11)
    monkeypatch.setattr(drawing, "_BLOCK_ROWS", 3)
    loaded = load_pictures(data, "train", SPEC, scratch=tmp_path, workers=3)
    assert np.array_equal(loaded.pixels, _expected(data))


def test_a_limit_has_its_own_entry(tmp_path: Path) -> None:
    data = _dataset(tmp_path / "data")
    whole = load_pictures(data, "train", SPEC, scratch=tmp_path)
    part = load_pictures(data, "train", SPEC, 2, scratch=tmp_path)
    assert np.array_equal(part.pixels, whole.pixels[:2])


@pytest.mark.parametrize("field", [field.name for field in fields(InputSpec)])
def test_whatever_changes_pixels_changes_the_key(tmp_path: Path, field: str) -> None:
    """A new field of InputSpec fails here until it is said what it changes."""
    manifest = read_manifest(_dataset(tmp_path))
    wanted = Drawing(folder=tmp_path, split="train", spec=SPEC, names=("a",))
    other = replace(wanted, spec=replace(SPEC, **{field: OTHER_VALUES[field]}))
    same = entry_key(manifest, wanted) == entry_key(manifest, other)
    assert same == (field in IN_THE_GRAPH)


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("limit", [None, 4])
def test_pictures_come_by_name_however_shards_divide_them(tmp_path: Path, cached: bool, limit: int | None) -> None:
    whole = load_pictures(_dataset(tmp_path / "one", count=20), "train", SPEC, limit)
    divided, scratch = _dataset(tmp_path / "four", count=20, shards=4), tmp_path if cached else None
    stored = [record.name for record in read_records(divided, "train")]
    assert stored != sorted(stored)
    loaded = load_pictures(divided, "train", SPEC, limit, scratch=scratch)
    assert loaded.names == whole.names == tuple(f"{index:04d}" for index in range(limit or 20))
    assert np.array_equal(loaded.pixels, whole.pixels)


def test_content_order_and_code_change_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = read_manifest(_dataset(tmp_path))
    wanted = Drawing(folder=tmp_path, split="train", spec=SPEC, names=("a", "b"))
    keys = {
        entry_key(manifest, wanted),
        entry_key(manifest, replace(wanted, names=("b", "a"))),
        entry_key(manifest, replace(wanted, split="val")),
        entry_key(replace(manifest, fingerprint="other"), wanted),
        entry_key(replace(manifest, fingerprint=""), wanted),
    }
    monkeypatch.setattr(decode_cache, "VERSION", -1)
    keys.add(entry_key(manifest, wanted))
    monkeypatch.setattr(decode_cache.PIL, "__version__", "0")
    keys.add(entry_key(manifest, wanted))
    assert len(keys) == 7
    where = replace(wanted, folder=tmp_path / "elsewhere", workers=7)
    assert entry_key(manifest, wanted) == entry_key(manifest, where)


def test_present_pixels_are_those_of_this_version() -> None:
    """Fails when the same picture gives other pixels: raise decode_cache.VERSION and write the new sum here."""
    ramp = (np.arange(50 * 70 * 3) * 7919 % 251).astype(np.uint8).reshape(50, 70, 3)
    pixels, _ = fit_picture(ramp, InputSpec(height=32, width=40, pad_side="both"))
    weights = np.arange(pixels.size, dtype=np.int64) % 1009
    found = decode_cache.VERSION, resize._SPARE, int((pixels.reshape(-1) * weights).sum())
    assert found == (2, 1.5, 230364511)


@pytest.mark.parametrize("damage", ["shorter", "longer", "header", "empty"])
def test_a_damaged_entry_is_drawn_again(tmp_path: Path, damage: str) -> None:
    data = _dataset(tmp_path / "data")
    load_pictures(data, "train", SPEC, scratch=tmp_path)
    entry = _entries(tmp_path)[0]
    content = entry.read_bytes()
    entry.write_bytes(
        {"shorter": content[:-1], "longer": content + b"x", "header": b"#" + content[1:], "empty": b""}[damage]
    )
    assert np.array_equal(load_pictures(data, "train", SPEC, scratch=tmp_path).pixels, _expected(data))
    assert entry.read_bytes() == content


def test_two_processes_at_once_end_with_one_right_entry(tmp_path: Path) -> None:
    data = _dataset(tmp_path / "data", count=60)
    code = (
        "import pathlib\n"
        "from netwright.data.feeding.pictures import load_pictures\n"
        "from netwright.types import InputSpec\n"
        f"p = load_pictures(pathlib.Path({str(data)!r}), 'train', InputSpec(height=24, width=32), "
        f"scratch=pathlib.Path({str(tmp_path)!r}))\n"
        "import numpy; print(int(numpy.asarray(p.pixels).sum()), type(p.pixels).__name__)"
    )
    both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=60)[0].strip() for process in both]
    assert said == [f"{int(_expected(data).sum())} memmap"] * 2
    assert len(_entries(tmp_path)) == 1
    assert not list((tmp_path / CACHE).glob(".*.npy.*"))


def test_the_second_of_two_waits_and_draws_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = _dataset(tmp_path / "data")
    load_pictures(data, "train", SPEC, scratch=tmp_path)
    entry, finished = _entries(tmp_path)[0], tmp_path / "finished.npy"
    entry.rename(finished)
    _draw_nothing(monkeypatch)
    lock = decode_cache.fcntl.flock

    def another_was_first(stream: object, how: int) -> None:
        lock(stream, how)
        finished.rename(entry)

    monkeypatch.setattr(decode_cache.fcntl, "flock", another_was_first)
    assert isinstance(load_pictures(data, "train", SPEC, scratch=tmp_path).pixels, np.memmap)


def test_what_a_killed_process_left_of_an_entry_goes_when_it_is_drawn(tmp_path: Path) -> None:
    data = _dataset(tmp_path / "data")
    load_pictures(data, "train", SPEC, scratch=tmp_path)
    entry = _entries(tmp_path)[0]
    entry.unlink()
    (left := entry.with_name(f".{entry.name}.abc")).write_bytes(b"half")
    load_pictures(data, "train", SPEC, scratch=tmp_path)
    assert entry.exists()
    assert not left.exists()


def test_without_locks_an_entry_is_drawn_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(decode_cache.fcntl, "flock", refuse)
    data = _dataset(tmp_path / "data")
    (tmp_path / CACHE).mkdir()
    wanted = Drawing(folder=data, split="train", spec=SPEC, names=tuple(f"{index:04d}" for index in range(5)))
    key = entry_key(read_manifest(data), wanted)
    (others := tmp_path / CACHE / f".train-{key}.npy.abc").write_bytes(b"under way")
    assert np.array_equal(load_pictures(data, "train", SPEC, scratch=tmp_path).pixels, _expected(data))
    assert others.exists()


def test_an_entry_removed_while_it_is_used_stays_readable(tmp_path: Path) -> None:
    data = _dataset(tmp_path / "data")
    loaded = load_pictures(data, "train", SPEC, scratch=tmp_path)
    shutil.rmtree(tmp_path / CACHE)
    assert np.array_equal(loaded.pixels, _expected(data))


def test_a_full_disk_leaves_nothing_behind_and_pixels_in_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = _dataset(tmp_path / "data")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # the kernel refuses in the middle of the file
    try:
        loaded = load_pictures(data, "train", SPEC, scratch=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert np.array_equal(loaded.pixels, _expected(data))
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert "File too large" in said
    assert "train is kept in memory" in said
    assert not _entries(tmp_path)
    assert not list((tmp_path / CACHE).glob(".*.npy.*"))


def test_too_little_room_is_known_before_anything_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(decode_cache.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 0))
    load_pictures(_dataset(tmp_path / "data"), "train", SPEC, scratch=tmp_path)
    assert "No space left on device" in capsys.readouterr().out


def test_what_fits_nowhere_stops_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = _dataset(tmp_path / "data")
    monkeypatch.setattr(pictures, "free_memory", lambda: 100)
    with pytest.raises(UserError, match=r"more than half of the .* set NETWRIGHT_SCRATCH"):
        load_pictures(data, "train", SPEC)
    (tmp_path / "scratch").write_text("a file where the folder should be")
    with pytest.raises(UserError, match=r"cannot be used .Not a directory., and split 'train'"):
        load_pictures(data, "train", SPEC, scratch=tmp_path / "scratch")


@pytest.mark.parametrize("kind", ["file", "no_rights"])
def test_without_a_usable_scratch_pixels_are_in_memory(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data, scratch = _dataset(tmp_path / "data"), tmp_path / "scratch"
    if kind == "file":
        scratch.write_text("")
    else:

        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

        monkeypatch.setattr(Path, "mkdir", refuse)
    assert np.array_equal(load_pictures(data, "train", SPEC, scratch=scratch).pixels, _expected(data))
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert ("Not a directory" if kind == "file" else "Read-only file system") in said


def test_an_entry_is_used_where_scratch_is_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = _dataset(tmp_path / "data")
    load_pictures(data, "train", SPEC, scratch=tmp_path)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "utime", refuse)
    monkeypatch.setattr(Path, "mkdir", refuse)
    assert isinstance(load_pictures(data, "train", SPEC, scratch=tmp_path).pixels, np.memmap)


def _age(path: Path, hours: float) -> None:
    moment = time.time() - 3600 * hours
    os.utime(path, (moment, moment))


def test_entries_used_last_are_kept_while_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used = {}
    for hours in (9, 7, 5, 0):
        load_pictures(_dataset(tmp_path / f"data{hours}", first=hours * 100), "train", SPEC, scratch=tmp_path)
        used[hours] = next(path for path in _entries(tmp_path) if path not in used.values())
    for hours, path in used.items():
        _age(path, hours)
    (abandoned := tmp_path / CACHE / ".train-x.npy.abc").write_text("")
    _age(abandoned, 2)
    (under_way := tmp_path / CACHE / ".train-y.npy.abc").write_text("")
    monkeypatch.setattr(decode_cache, "KEEP_BYTES", 3 * used[0].stat().st_size)
    load_pictures(_dataset(tmp_path / "new", first=5000), "train", SPEC, scratch=tmp_path)
    assert [hours for hours, path in used.items() if path.exists()] == [5, 0]
    assert not abandoned.exists()
    assert under_way.exists()
    monkeypatch.setattr(decode_cache, "KEEP_BYTES", 0)
    load_pictures(_dataset(tmp_path / "newer", first=6000), "train", SPEC, scratch=tmp_path)
    assert [hours for hours, path in used.items() if path.exists()] == [0]  # used within the hour


def test_memory_does_not_grow_with_the_number_of_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "_BLOCK_ROWS", 8)
    spec, peaks = InputSpec(height=256, width=256), []
    for count in (20, 80):
        data = _dataset(tmp_path / f"data{count}", count=count)
        tracemalloc.start()
        load_pictures(data, "train", spec, scratch=tmp_path, workers=1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 1_000_000  # 80 pictures are 15.7 MB decoded


@pytest.mark.parametrize("scratch", ["", "scratch"])
def test_a_damaged_picture_is_named_and_leaves_no_entry(tmp_path: Path, scratch: str) -> None:
    content = _encoded(1, 40, 30)
    cases = {"is no picture": b"no picture", "cannot be decoded": content[:-400], "40 x 30 pixels where 41": content}
    for number, (said, image) in enumerate(cases.items()):
        record = Record(
            name="holiday",
            split="train",
            image=image,
            width=41,
            height=30,
            boxes=np.zeros((0, 4), dtype=np.float32),
            labels=np.zeros(0, dtype=np.int64),
        )
        write_dataset(tmp_path / str(number), "tiny", ("thing",), [record], fingerprint=str(number))
        with pytest.raises(UserError, match=f"'holiday' of .*{said}.*dvc repro convert"):
            load_pictures(tmp_path / str(number), "train", SPEC, scratch=tmp_path / scratch if scratch else None)
        assert not _entries(tmp_path / "scratch")


def test_an_empty_split_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"split 'val' of .* holds no picture"):
        load_pictures(_dataset(tmp_path), "val", SPEC)
    (tmp_path / MANIFEST).unlink()
    with pytest.raises(UserError, match="run the convert stage first"):
        load_pictures(tmp_path, "train", SPEC)
