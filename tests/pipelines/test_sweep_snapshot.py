"""A snapshot is what the user sees and leaves no trace in what the user has; slots come and go."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from netwright.errors import UserError
from pipelines.sweep.places import Places, folder_name, locked_at_once
from pipelines.sweep.slots import link_inputs, remove_slots, slot
from pipelines.sweep.snapshot import REFS, extract, take_snapshot
from tests.pipelines.stub_project import git


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "conf").mkdir(parents=True)
    for name, text in {
        "dvc.yaml": "stages: {}\n",
        "conf/a.yaml": "a: 1\n",
        "code.py": "1\n",
        ".gitignore": ".netwright\nraw\n",
    }.items():
        (folder / name).write_text(text)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "start")
    return folder


def test_a_clean_project_is_its_own_snapshot(project: Path) -> None:
    found = take_snapshot(project, "first")
    assert found.commit == found.head == git(project, "rev-parse", "HEAD")
    assert found.edited == 0


def test_edits_staged_or_not_and_new_files_are_in_the_snapshot_and_stay_as_they_are(project: Path) -> None:
    (project / "code.py").write_text("staged\n")
    git(project, "add", "code.py")
    (project / "code.py").write_text("edited\n")
    (project / "conf/b.yaml").write_text("b: 1\n")
    (project / "conf/a.yaml").unlink()
    (project / "raw").write_text("ignored")
    before = git(project, "status", "--porcelain")
    found = take_snapshot(project, "second")
    assert git(project, "status", "--porcelain") == before
    assert git(project, "rev-parse", "HEAD") == found.head
    assert git(project, "show", f"{found.commit}:code.py") == "edited"
    assert git(project, "ls-tree", "-r", "--name-only", found.commit).split() == [
        ".gitignore",
        "code.py",
        "conf/b.yaml",
        "dvc.yaml",
    ]
    assert found.edited == 3
    assert git(project, "rev-parse", f"{REFS}/second") == found.commit


def test_a_project_without_any_commit_has_a_snapshot(project: Path) -> None:
    subprocess.run(["rm", "-rf", ".git"], cwd=project, check=True)
    git(project, "init", "-q")
    found = take_snapshot(project, "first")
    assert found.head == ""
    assert found.edited == 4
    assert git(project, "show", f"{found.commit}:code.py") == "1"


def test_outside_a_repository_or_its_root_is_one_line(project: Path, tmp_path: Path) -> None:
    (project / "inner").mkdir()
    (project / "inner/dvc.yaml").write_text("stages: {}\n")
    with pytest.raises(UserError, match="is not the root of its git repository"):
        take_snapshot(project / "inner", "x")
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain/dvc.yaml").write_text("stages: {}\n")
    with pytest.raises(UserError, match="is no git repository"):
        take_snapshot(tmp_path / "plain", "x")
    with pytest.raises(UserError, match=r"no dvc\.yaml in"):
        take_snapshot(tmp_path, "x")


def test_a_folder_of_the_snapshot_can_be_read_while_the_user_edits_it(project: Path, tmp_path: Path) -> None:
    found = take_snapshot(project, "first")
    (project / "conf/a.yaml").write_text("a: 2\n")
    folder = extract(project, found.commit, "conf", tmp_path / "out")
    assert [path.name for path in folder.iterdir()] == ["a.yaml"]
    assert (folder / "a.yaml").read_text() == "a: 1\n"


def test_workers_have_slots_of_their_own_and_a_free_one_is_used_again(project: Path) -> None:
    places, commit = Places(project=project, name="s"), take_snapshot(project, "s").commit
    with slot(places, commit) as (first, _), slot(places, commit) as (second, _):
        assert first != second
        assert (second / "code.py").read_text() == "1\n"
        (first / "raw").write_text("an out")
    with slot(places, commit) as (again, _):
        assert again == first
        assert (again / "raw").read_text() == "an out"


def test_workers_that_check_out_at_the_same_moment_each_get_what_they_asked_for(project: Path) -> None:
    places, commits = Places(project=project, name="s"), []
    for number in range(3):
        (project / "code.py").write_text(f"{number}\n")
        commits.append(take_snapshot(project, f"s{number}").commit)

    def seen(trial: int) -> str:
        with slot(places, commits[trial % 3]) as (folder, _):
            return (folder / "code.py").read_text()

    with ThreadPoolExecutor(8) as workers:
        assert list(workers.map(seen, range(48))) == ["0\n", "1\n", "2\n"] * 16


def test_slots_in_use_stay_and_all_others_are_removed(project: Path) -> None:
    places, commit = Places(project=project, name="s"), take_snapshot(project, "s").commit
    with slot(places, commit) as (used, _):
        with slot(places, commit) as (unused, _):
            pass
        remove_slots(places)
        assert used.is_dir()
        assert not unused.exists()
    remove_slots(places)
    assert not used.exists()
    assert len(git(project, "worktree", "list").splitlines()) == 1


def test_slots_of_a_sweep_that_was_killed_are_removed_and_those_of_one_at_work_stay(project: Path) -> None:
    commit = take_snapshot(project, "s").commit
    killed, working, own = (Places(project=project, name=name) for name in ("killed", "working", "own"))
    for places in (killed, working):
        with slot(places, commit):
            pass
    with locked_at_once(working.work / "lock"):
        remove_slots(own)
    assert not (killed.work / "slots/0").exists()
    assert (working.work / "slots/0/code.py").is_file()


def test_a_slot_of_another_commit_is_made_anew(project: Path) -> None:
    places = Places(project=project, name="s")
    with slot(places, take_snapshot(project, "s").commit):
        pass
    (project / "code.py").write_text("2\n")
    with slot(places, take_snapshot(project, "s").commit) as (folder, _):
        assert (folder / "code.py").read_text() == "2\n"


def test_raw_data_and_local_weights_are_seen_in_a_slot(project: Path, tmp_path: Path) -> None:
    (project / "data/raw/mine").mkdir(parents=True)
    (project / "data/raw/mine/a.jpg").write_text("picture")
    (project / "weights.safetensors").write_text("tensors")
    values = {"dataset": {"source": "data/raw/mine"}, "pretrain_init": {"weights": "weights.safetensors"}}
    for _ in range(2):
        link_inputs(project, tmp_path / "slot", values)
    assert (tmp_path / "slot/data/raw/mine/a.jpg").read_text() == "picture"
    assert (tmp_path / "slot/weights.safetensors").read_text() == "tensors"
    link_inputs(project, tmp_path / "slot", values | {"pretrain_init": {"weights": "random"}})


def test_folders_of_trials_are_readable_and_differ_where_trials_differ() -> None:
    assert folder_name("prune.threshold=0.1,qat.epochs=3") == "prune.threshold=0.1,qat.epochs=3"
    odd = [folder_name(f"prune.exclude=['neck.{letter}/*']") for letter in "ab"]
    assert odd[0] != odd[1]
    assert not set("/'*[]") & set(odd[0])
    assert len(folder_name("a" * 500)) < 150


def test_a_lock_is_had_once(tmp_path: Path) -> None:
    with locked_at_once(tmp_path / "lock") as first, locked_at_once(tmp_path / "lock") as second:
        assert first
        assert not second
    with locked_at_once(tmp_path / "lock") as third:
        assert third
