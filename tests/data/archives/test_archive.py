import contextlib
import gzip
import io
import stat
import struct
import tarfile
import zipfile
import zlib

import pytest

from netwright.data.archives.archive import Limits, open_source
from netwright.errors import UserError

FILES = {"set/images/a b.jpg": b"picture" * 100, "set/labels/ä.txt": b"1 2 3\n", "set/classes.txt": b"cat\n"}


def _zip(path, files=FILES, **options):
    with zipfile.ZipFile(path, "w", **({"compression": zipfile.ZIP_DEFLATED} | options)) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def _tar(path, files=FILES, mode=None):
    with tarfile.open(path, mode or ("w:gz" if path.name.endswith("gz") else "w")) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def _special(path, kind, target="../../outside"):
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("set/link")
        info.type, info.linkname = kind, target
        archive.addfile(info)
    return path


def _held(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _refused(path, tmp_path, match, **options):
    """The refusal is one line, nothing is left in scratch and nothing was written beside it."""
    before = {found for found in tmp_path.rglob("*") if "scratch" not in found.parts}
    with pytest.raises(UserError, match=match) as caught:
        open_source(path, tmp_path / "scratch", **options)
    assert "\n" not in str(caught.value)
    assert {found.name for found in (tmp_path / "scratch").rglob("*") if found.is_file()} <= {"lock"}
    assert {found for found in tmp_path.rglob("*") if "scratch" not in found.parts} == before


@pytest.mark.parametrize("name", ["set.zip", "SET.ZIP", "set.tar", "set.tar.gz", "set.tgz"])
def test_an_archive_is_unpacked_and_its_single_top_folder_entered(tmp_path, name):
    path = (_zip if name.lower().endswith("zip") else _tar)(tmp_path / name)
    folder = open_source(path, tmp_path / "scratch")
    assert folder.is_relative_to(tmp_path / "scratch")
    assert {f"set/{name}": content for name, content in _held(folder).items()} == FILES


def test_files_at_the_top_stay_at_the_top(tmp_path):
    path = _zip(tmp_path / "a.zip", {"data.yaml": b"names: [cat]", "images/a.jpg": b"x"})
    assert set(_held(open_source(path, tmp_path / "scratch"))) == {"data.yaml", "images/a.jpg"}


def test_a_folder_is_itself_and_leaves_no_trace_in_scratch(tmp_path):
    (tmp_path / "set").mkdir()
    assert open_source(tmp_path / "set", tmp_path / "scratch") == tmp_path / "set"
    assert not (tmp_path / "scratch").exists()


def test_an_archive_is_unpacked_once_until_it_changes(tmp_path):
    path = _zip(tmp_path / "set.zip")
    first = open_source(path, tmp_path / "scratch")
    mark = first / "mark"
    mark.touch()
    assert open_source(path, tmp_path / "scratch") == first
    assert mark.exists()
    _zip(path, {"set/other.txt": b"other, longer"})
    second = open_source(path, tmp_path / "scratch")
    assert set(_held(second)) == {"other.txt"}
    assert not first.exists()  # what it held before does not pile up


def test_unpacked_files_have_new_times_so_that_nothing_stale_is_taken_for_them(tmp_path):
    path = _zip(tmp_path / "set.zip")  # its members are of 1980
    folder = open_source(path, tmp_path / "scratch")
    assert (folder / "classes.txt").stat().st_mtime >= path.stat().st_mtime - 1


def test_progress_counts_the_archives_bytes(tmp_path):
    for path in (_zip(tmp_path / "set.zip"), _tar(tmp_path / "set.tar"), _tar(tmp_path / "set.tgz")):
        steps = []
        open_source(path, tmp_path / "scratch", advance=steps.append)
        assert 0 < sum(steps) <= path.stat().st_size


def test_what_macos_adds_is_left_out(tmp_path):
    files = {"set/a.jpg": b"x", "set/._a.jpg": b"y", "__MACOSX/set/a.jpg": b"z", ".DS_Store": b"z"}
    assert set(_held(open_source(_zip(tmp_path / "set.zip", files), tmp_path / "scratch"))) == {"a.jpg"}


def test_windows_separators_make_folders(tmp_path):
    folder = open_source(_zip(tmp_path / "set.zip", {"set\\images\\a.jpg": b"x", "set\\b": b"y"}), tmp_path / "scratch")
    assert set(_held(folder)) == {"images/a.jpg", "b"}


def test_a_tar_of_dot_is_unpacked(tmp_path):
    (tmp_path / "raw/set").mkdir(parents=True)
    (tmp_path / "raw/set/a.txt").write_text("x")
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        archive.add(tmp_path / "raw", ".")
    assert set(_held(open_source(tmp_path / "set.tar", tmp_path / "scratch"))) == {"a.txt"}


@pytest.mark.parametrize("make", [_zip, _tar], ids=["zip", "tar"])
@pytest.mark.parametrize(
    "name",
    ["../evil", "set/../../evil", "/tmp/evil", "..\\evil", "C:\\evil", "\\evil", "C:/evil", "a" * 300],
)
def test_a_member_that_leads_out_is_refused(tmp_path, make, name):
    path = make(tmp_path / ("set.zip" if make is _zip else "set.tar"), {"set/good": b"x", name: b"evil"})
    _refused(path, tmp_path, r"names the file .* a path below the dataset's own folder is expected")


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE],
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    _refused(_special(tmp_path / "set.tar", kind), tmp_path, "a link, a device or a sparse file")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_in_a_zip_are_refused(tmp_path, kind):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        info = zipfile.ZipInfo("set/link")
        info.create_system, info.external_attr = 3, (kind | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    _refused(tmp_path / "set.zip", tmp_path, "a link or a device")


@pytest.mark.parametrize("make", [_zip, _tar], ids=["zip", "tar"])
def test_names_that_differ_by_case_or_composition_alone_are_refused(tmp_path, make):
    suffix = "zip" if make is _zip else "tar"
    _refused(make(tmp_path / f"a.{suffix}", {"a/B.jpg": b"1", "A/b.JPG": b"2"}), tmp_path, "differ in case")
    _refused(make(tmp_path / f"b.{suffix}", {"\u00e9.jpg": b"1", "e\u0301.jpg": b"2"}), tmp_path, "differ in case")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_same_name_twice_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("a", "1")
        archive.writestr("a", "2")
    _refused(tmp_path / "set.zip", tmp_path, "holds 'a' twice")


def test_a_name_of_a_file_and_a_folder_is_refused(tmp_path):
    _refused(_tar(tmp_path / "a.tar", {"a": b"1", "a/b": b"2"}), tmp_path, "as a file and as a folder")
    _refused(_tar(tmp_path / "b.tar", {"a/b": b"2", "a": b"1"}), tmp_path, "as a file and as a folder")


def test_too_many_members_too_many_bytes_and_too_deep_are_refused(tmp_path):
    path = _zip(tmp_path / "set.zip")
    _refused(path, tmp_path, "more than 2 members", limits=Limits(members=2))
    _refused(path, tmp_path, "more than 1000 bytes", limits=Limits(most_bytes=1000))
    _refused(_tar(tmp_path / "set.tgz"), tmp_path, "more than 1000 bytes", limits=Limits(most_bytes=1000))
    _refused(_zip(tmp_path / "deep.zip", {"a/" * 100 + "b": b"x"}), tmp_path, "folders inside each other")


@pytest.mark.parametrize("name", ["bomb.zip", "bomb.tar.gz"])
def test_a_bomb_is_refused_by_its_ratio(tmp_path, name):
    path = (_zip if name.endswith("zip") else _tar)(tmp_path / name, {"zeros": bytes(2**27)})
    _refused(path, tmp_path, "more than 200 times its size")


def test_a_bomb_of_empty_members_is_refused(tmp_path):
    header = tarfile.TarInfo("folder")
    header.type = tarfile.DIRTYPE
    with gzip.open(tmp_path / "bomb.tgz", "wb", compresslevel=1) as stream:
        stream.write(header.tobuf() * 5_000)
    _refused(tmp_path / "bomb.tgz", tmp_path, "more than 20 times its size", limits=Limits(ratio=20, small=2**20))


def test_a_header_that_claims_gigabytes_is_not_believed(tmp_path):
    """tarfile would read a whole extended header into memory: gzip makes ten gigabytes of it out of ten megabytes."""
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 10 * 2**30
    with gzip.open(tmp_path / "bomb.tgz", "wb") as stream:
        stream.write(info.tobuf(tarfile.GNU_FORMAT))
        stream.write(bytes(2**22))
    _refused(tmp_path / "bomb.tgz", tmp_path, "damaged or made to do harm")


@pytest.mark.parametrize("size", [-512, -(2**40)])
def test_a_header_that_leads_backwards_does_not_loop(tmp_path, size):
    info = tarfile.TarInfo("x")
    info.size = size
    (tmp_path / "set.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    _refused(tmp_path / "set.tar", tmp_path, "set.tar")


@pytest.mark.parametrize("name", ["set.zip", "set.tar", "set.tar.gz"])
def test_an_archive_cut_anywhere_is_refused(tmp_path, name):
    files = {f"set/{number}.bin": bytes([number]) * 700 for number in range(40)}
    whole = (_zip if name.endswith("zip") else _tar)(tmp_path / name, files).read_bytes()
    end = len(whole) if not name.endswith(".tar") else 40 * 1536  # a tar is padded with zeros to 10 KiB
    for cut in range(0, end, 1 + end // 60):
        (tmp_path / name).write_bytes(whole[:cut])
        _refused(tmp_path / name, tmp_path, name)


@pytest.mark.parametrize("name", ["set.zip", "set.tar.gz"])
def test_a_flipped_byte_is_refused_or_harmless(tmp_path, name):
    """Both formats carry checksums of the content: what comes out, if anything, is what went in."""
    path = (_zip if name.endswith("zip") else _tar)(tmp_path / name)
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x20]) + whole[place + 1 :])
        with contextlib.suppress(UserError):
            folder = open_source(path, tmp_path / f"scratch{place}")
            assert sorted(_held(folder).values()) == sorted(FILES.values())


@pytest.mark.parametrize(
    ("name", "content"),
    [("set.zip", b"no zip"), ("set.tar", b"no tar"), ("set.tgz", b"\x1f\x8bno gzip"), ("set.zip", b"")],
)
def test_what_is_no_archive_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    _refused(tmp_path / name, tmp_path, name)


def test_an_empty_archive_is_refused(tmp_path):
    _refused(_zip(tmp_path / "set.zip", {}), tmp_path, "holds no file")


def test_another_file_and_a_missing_one_are_refused(tmp_path):
    (tmp_path / "set.rar").write_bytes(b"Rar!")
    _refused(tmp_path / "set.rar", tmp_path, r"give a folder or one of \.zip, \.tar")
    _refused(tmp_path / "none", tmp_path, "does not exist")


def test_an_encrypted_zip_and_unusual_compression_are_refused(tmp_path):
    path = _zip(tmp_path / "set.zip", {"a": b"x"}, compression=zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    _refused(path, tmp_path, "is encrypted")
    _refused(_zip(tmp_path / "b.zip", compression=zipfile.ZIP_BZIP2), tmp_path, "other means than deflate")


def test_a_zip_whose_directory_understates_a_size_is_refused(tmp_path):
    path = _zip(tmp_path / "set.zip", {"a": bytes(100_000)})
    content = bytearray(path.read_bytes())
    place = content.index(b"PK\x01\x02") + 24
    content[place : place + 4] = struct.pack("<I", 10)
    path.write_bytes(content)
    _refused(path, tmp_path, "damaged")


def test_more_members_than_sixteen_bits_count(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for number in range(65_600):
            archive.writestr(f"._{number}", b"")  # left out, so that this is quick
        archive.writestr("a.txt", b"x")
    assert set(_held(open_source(tmp_path / "set.zip", tmp_path / "scratch"))) == {"a.txt"}
    content = (tmp_path / "set.zip").read_bytes()
    place = content.rindex(b"PK\x06\x06") + 32
    (tmp_path / "set.zip").write_bytes(content[:place] + struct.pack("<Q", 65_602) + content[place + 8 :])
    _refused(tmp_path / "set.zip", tmp_path, "65602 members, and 65601 are found")


def test_a_gzip_with_a_wrong_checksum_is_refused(tmp_path):
    path = _tar(tmp_path / "set.tgz")
    content = path.read_bytes()
    assert content[-8:-4] == struct.pack("<I", zlib.crc32(gzip.decompress(content)))
    path.write_bytes(content[:-8] + b"\0\0\0\0" + content[-4:])
    _refused(path, tmp_path, "damaged")
