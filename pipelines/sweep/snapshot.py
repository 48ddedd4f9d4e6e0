"""What the user sees, as one commit that no branch names: trials run on it, whatever is edited meanwhile."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from netwright.errors import UserError

REFS = "refs/netwright/sweeps"  # keeps the snapshot from being swept up by git's own clean-up
_NOBODY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "netwright"), ("EMAIL", "netwright@localhost"))
}


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """``commit`` holds the whole working tree, ``tree`` is its content's hash; ``head`` is the user's own commit.

    ``edited`` is the number of files in which the two differ; ``head`` is "" before the first commit.
    """

    commit: str
    tree: str
    head: str
    edited: int


def take_snapshot(project: Path, name: str) -> Snapshot:
    """Commit what ``project`` holds, ignored files left out, under the ref of sweep ``name``.

    The user's index, branch and files stay as they are. Raises UserError where ``project`` is not the root of a git
    repository.
    """
    _check_root(project)
    with tempfile.TemporaryDirectory(prefix="netwright-") as folder:
        index = Path(folder) / "index"
        own = project / git(project, "rev-parse", "--git-path", "index")
        if own.is_file():
            shutil.copy(own, index)
        using = {"GIT_INDEX_FILE": str(index)}
        git(project, "add", "--all", more=using)
        tree = git(project, "write-tree", more=using)
    head = git(project, "rev-parse", "--verify", "--quiet", "HEAD", refused="")
    same = bool(head) and git(project, "rev-parse", f"{head}^{{tree}}") == tree
    parents = ["-p", head] if head else []
    commit = head if same else git(project, "commit-tree", tree, *parents, "-m", f"sweep {name}", more=_NOBODY)
    git(project, "update-ref", f"{REFS}/{name}", commit)
    differing = ["diff-tree", "-r", "--root", "--no-commit-id", "--name-only", commit]  # from its parent
    edited = 0 if same else len(git(project, *differing).splitlines())
    return Snapshot(commit=commit, tree=tree, head=head, edited=edited)


def extract(project: Path, commit: str, folder: str, target: Path) -> Path:
    """Write ``folder`` of ``commit`` below ``target``, an empty or missing folder; return its path there."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="netwright-") as temporary:
        using = {"GIT_INDEX_FILE": f"{temporary}/index"}
        git(project, "read-tree", f"--prefix={folder}/", f"{commit}:{folder}", more=using)
        git(project, "checkout-index", "--all", "--force", f"--prefix={target}/", more=using)
    return target / folder


def git(project: Path, *arguments: str, more: Mapping[str, str] | None = None, refused: str | None = None) -> str:
    """What git answers in ``project``, hooks off. Where it fails: ``refused``, or without that a UserError."""
    command: Sequence[str] = ["git", "-c", "core.hooksPath=/dev/null", *arguments]
    environment = os.environ | (more or {})
    try:
        done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UserError("git is not installed, and a sweep needs it") from None
    if done.returncode == 0:
        return done.stdout.strip()
    if refused is not None:
        return refused
    said = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
    raise UserError(f"git {arguments[0]} failed in {project}: {said[-1]}")


def _check_root(project: Path) -> None:
    if not (project / "dvc.yaml").is_file():
        raise UserError(f"no dvc.yaml in {project}: run this from the project's root")
    root = git(project, "rev-parse", "--show-toplevel", refused="")
    if not root:
        raise UserError(
            f"{project} is no git repository, and trials run in worktrees of one: clone the project, or run git init"
        )
    if Path(root).resolve() != project.resolve():
        raise UserError(f"{project} is not the root of its git repository {root}: a sweep runs from there")
