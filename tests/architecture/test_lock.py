"""requirements.lock is neutral and whole."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_lock_holds_no_addresses_and_no_paths() -> None:
    found = re.findall(r"^.*(?:https?:|file:|--index|--extra-index|--find-links|/tmp|/home|/root|/opt).*$", LOCK, re.M)
    assert found == []


def test_every_pin_has_a_hash() -> None:
    blocks = re.split(r"\n(?=[a-zA-Z0-9])", LOCK)
    pins = [block for block in blocks if re.match(r"[a-zA-Z0-9._-]+==", block)]
    assert len(pins) > 100
    assert [pin.split("==")[0] for pin in pins if "--hash=sha256:" not in pin] == []


def test_lock_covers_what_pyproject_declares() -> None:
    declared = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]
    names = {re.split(r"[<>=!~;\[ ]", line)[0].lower() for line in declared}
    pinned = set(re.findall(r"^([a-z0-9._-]+)==", LOCK, re.M))
    assert names - pinned == set(), "run `make lock`"


def test_extras_are_never_installed_by_default() -> None:
    for name in ("nvidia-pyindex", "tensorrt"):
        assert re.search(rf"^{name}", LOCK, re.M) is None
