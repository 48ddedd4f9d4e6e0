"""A release changed at random in a thousand ways: how many does verify miss? How long do sign and verify take?

    python -m benchmarks.certificate_mutations release/NAME [--mutations 1000] [--seed 0]

Works on a copy, signed with a key of its own. Every byte of the signature file, the one file that no hash covers, is
changed too, one after the other.
"""

import argparse
import os
import random
import shutil
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from netwright.certificates.keys import ensure_key, public_path
from netwright.certificates.signature import SIGNATURE, check_signature, sign_folder
from netwright.errors import UserError
from pipelines.certify.checks import verify_release

NAMES = (
    ".gitignore",
    ".gitattributes",
    ".git",
    ".github",
    ".DS_Store",
    "model.sig",
    "README.md",
    "x",
    "run.sh",
    "a b.txt",
)


class Mutator:
    """Changes of ``folder``, drawn by ``draw``."""

    def __init__(self, folder: Path, draw: random.Random) -> None:
        self.folder, self.draw = folder, draw

    def _kinds(self) -> dict[str, Callable[[], object]]:
        """The changes by name; a single byte of a file comes as often as all others together."""
        return {
            "byte inserted": self._insert,
            "byte removed": self._shorten,
            "bytes appended": self._append,
            "file emptied": lambda: self._file(least=1).write_bytes(b""),
            "file removed": lambda: self._file().unlink(),
            "file added": self._add,
            "file renamed": self._rename,
            "case of a name": self._change_case,
            "file moved": self._move,
            "files exchanged": self._exchange,
            "folder renamed": self._rename_folder,
            "folder removed": lambda: shutil.rmtree(self._a_folder()),
            "empty folder": self._add_folder,
            "file made a link": lambda: self._link(self._file()),
            "folder made a link": lambda: self._link(self._a_folder()),
            "link added": lambda: (self._any_folder() / "link").symlink_to(self._file()),
            "pipe added": lambda: os.mkfifo(self._any_folder() / "pipe"),
            "file made a folder": self._become_folder,
        }

    def mutate(self) -> str:
        """Do one change and return its name."""
        kinds = self._kinds()
        if self.draw.random() < 0.5:
            self._change_byte(self._file(least=1))
            return "byte changed"
        name = self.draw.choice([*kinds])
        kinds[name]()
        return name

    def _file(self, least: int = 0) -> Path:
        return self.draw.choice([path for path in self._files() if path.stat().st_size >= least])

    def _files(self) -> list[Path]:
        return sorted(path for path in self.folder.rglob("*") if path.is_file())

    def _a_folder(self) -> Path:
        return self.draw.choice(sorted(path for path in self.folder.rglob("*") if path.is_dir()))

    def _any_folder(self) -> Path:
        return self.draw.choice([self.folder, self._a_folder()])

    def _change_byte(self, path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[self.draw.randrange(len(content))] ^= self.draw.randrange(1, 256)
        path.write_bytes(content)

    def _insert(self) -> None:
        path = self._file()
        content = path.read_bytes()
        place = self.draw.randint(0, len(content))
        path.write_bytes(content[:place] + self.draw.choice([b" ", b"\n", b"\0", b"7"]) + content[place:])

    def _shorten(self) -> None:
        path = self._file(least=1)
        content = bytearray(path.read_bytes())
        del content[self.draw.randrange(len(content))]
        path.write_bytes(content)

    def _append(self) -> None:
        with self._file().open("ab") as stream:
            stream.write(self.draw.randbytes(self.draw.randint(1, 9)))

    def _add(self) -> None:
        name = self.draw.choice([name for name in NAMES if name != SIGNATURE])
        (self._any_folder() / name).write_bytes(self.draw.choice([b"", b"\n", self.draw.randbytes(30)]))

    def _add_folder(self) -> None:
        (self._any_folder() / f"new{self.draw.random()}").mkdir()

    def _rename(self) -> None:
        path = self._file()
        path.rename(path.with_name(path.name + self.draw.choice([".bak", " ", "x", "~"])))

    def _change_case(self) -> None:
        path = self._file()
        path.rename(path.with_name(path.name.swapcase()))

    def _move(self) -> None:
        path = self._file()
        elsewhere = [folder for folder in {self.folder, *(p.parent for p in self._files())} if folder != path.parent]
        path.rename(self.draw.choice(sorted(elsewhere)) / path.name)

    def _exchange(self) -> None:
        one, other = self.draw.sample(self._files(), 2)
        first, second = one.read_bytes(), other.read_bytes()
        one.write_bytes(second)
        other.write_bytes(first)

    def _rename_folder(self) -> None:
        folder = self._a_folder()
        folder.rename(folder.with_name(self.draw.choice([folder.name.upper(), f"{folder.name}_"])))

    def _link(self, path: Path) -> None:
        moved = self.folder.parent / f"moved{self.draw.random()}"
        path.rename(moved)
        path.symlink_to(moved)

    def _become_folder(self) -> None:
        path = self._file()
        path.unlink()
        path.mkdir()


def caught(folder: Path, public: Path) -> bool:
    """Whether verify refuses ``folder``, in whatever words."""
    try:
        list(verify_release(folder, public))
    except (UserError, OSError):
        return True
    return False


def fresh(pristine: Path, folder: Path) -> None:
    """Put an untouched copy of ``pristine`` at ``folder``."""
    shutil.rmtree(folder.parent, ignore_errors=True)
    shutil.copytree(pristine, folder)


def random_mutations(pristine: Path, folder: Path, public: Path, count: int, seed: int) -> None:
    """Print how many of ``count`` random changes were missed, and what they were."""
    draw, kinds, missed = random.Random(seed), Counter[str](), []
    for number in range(count):
        fresh(pristine, folder)
        kind = Mutator(folder, draw).mutate()
        kinds[kind] += 1
        if not caught(folder, public):
            missed.append(f"{number}: {kind}")
    print(f"{count} random changes, {len(missed)} missed {missed or ''}")
    print(", ".join(f"{kind} {number}" for kind, number in kinds.most_common()))


def every_signature_byte(pristine: Path, folder: Path, public: Path) -> None:
    """Print how many bytes of the signature file can be changed unnoticed."""
    fresh(pristine, folder)
    path = folder / SIGNATURE
    whole, missed = path.read_bytes(), []
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        if not caught(folder, public):
            missed.append(place)
    print(f"{len(whole)} bytes of {SIGNATURE} changed one by one, {len(missed)} missed {missed or ''}")


def seconds(work: Callable[[], object], times: int = 7) -> float:
    """Median of a few runs."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def main() -> None:
    """Sign a copy, time, and mutate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("release", type=Path)
    parser.add_argument("--mutations", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        pristine, folder, key = (Path(place) / name for name in ("pristine/model", "work/model", "key/signing.pem"))
        shutil.copytree(given.release, pristine)
        ensure_key(key)
        public = public_path(key)
        sign_folder(pristine, key)  # imports
        size = sum(path.stat().st_size for path in pristine.rglob("*") if path.is_file())
        print(f"{size / 1e6:.1f} MB in {sum(path.is_file() for path in pristine.rglob('*'))} files; without imports:")
        print(f"sign {seconds(lambda: sign_folder(pristine, key)):.3f} s")
        print(f"check the signature {seconds(lambda: check_signature(pristine, public)):.3f} s")
        print(f"verify whole {seconds(lambda: list(verify_release(pristine, public))):.2f} s")
        random_mutations(pristine, folder, public, given.mutations, given.seed)
        every_signature_byte(pristine, folder, public)


if __name__ == "__main__":
    main()
