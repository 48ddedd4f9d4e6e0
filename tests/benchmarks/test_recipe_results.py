"""results.jsonl has a line for each run, whole, and no result is taken for one of another device."""

import errno
import json
import os
import resource
from pathlib import Path

import pytest

from benchmarks import recipe_results
from benchmarks.changed_params import changed_settings, read_params
from benchmarks.recipe_lock import alone_in
from benchmarks.recipe_run import Run, seeded
from netwright.errors import UserError
from tests.benchmarks.toy_project import CHANGES, ROOT

LINE = {"recipe": "plain", "seed": 1, "key": "k", "seconds": 1.0}


@pytest.fixture(scope="module")
def run() -> Run:
    return seeded("plain", 1, changed_settings(read_params(ROOT), CHANGES))


def test_a_run_is_added_once(tmp_path: Path) -> None:
    recipe_results.append(tmp_path, LINE)
    recipe_results.append(tmp_path, LINE | {"seconds": 2.0})
    recipe_results.append(tmp_path, LINE | {"seed": 2})
    assert recipe_results.read(tmp_path) == [LINE, LINE | {"seed": 2}]


def test_a_run_that_an_older_file_has_twice_counts_once(tmp_path: Path) -> None:
    lines = [LINE, LINE | {"seed": 2}, LINE | {"seconds": 2.0}]
    (tmp_path / recipe_results.RESULTS).write_text("\n".join(map(json.dumps, lines)))  # and its last line has no end
    recipe_results.append(tmp_path, LINE | {"seed": 3})
    assert [(line["seed"], line["seconds"]) for line in recipe_results.read(tmp_path)] == [(1, 2.0), (2, 1.0), (3, 1.0)]


def test_a_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    recipe_results.append(tmp_path, LINE)
    length = (tmp_path / recipe_results.RESULTS).stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (length + 20, before[1]))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):  # after 20 bytes
            recipe_results.append(tmp_path, LINE | {"seed": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (tmp_path / recipe_results.RESULTS).stat().st_size == length
    assert recipe_results.read(tmp_path) == [LINE]


@pytest.mark.parametrize(("trained_on", "asked"), [("cpu", "cuda"), ("NVIDIA H100 80GB HBM3", "cpu")])
def test_results_of_another_device_are_refused(run: Run, trained_on: str, asked: str) -> None:
    line = LINE | {"key": run.key, "device": trained_on}
    with pytest.raises(UserError, match=f"results of {trained_on} there, --device is {asked}"):
        recipe_results.still_to_do([run], [line], asked)


@pytest.mark.parametrize("known", [{}, {"device": "NVIDIA H200"}])
def test_results_of_the_device_and_old_ones_that_do_not_say_it_are_kept(run: Run, known: dict[str, str]) -> None:
    assert recipe_results.still_to_do([run], [LINE | {"key": run.key} | known], "cuda") == []
    assert recipe_results.still_to_do([run], [], "cuda") == [run]


def test_one_command_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.recipe_lock.PATIENCE_S", 0.1)
    with alone_in(tmp_path), pytest.raises(UserError, match="another command is at work"), alone_in(tmp_path):
        pass
    with alone_in(tmp_path):
        pass
