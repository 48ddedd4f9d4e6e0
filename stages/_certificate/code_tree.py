"""A hash of the code that makes a result, the same for equal code in whatever commit."""

import hashlib
import subprocess
from pathlib import Path

from netwright.artifacts.certificate import RefusedError

PATHS = ("dvc.yaml", "netwright", "stages")


def code_hash(project: Path) -> str:
    """Sha256 of what ``git ls-tree -r HEAD dvc.yaml netwright stages`` prints, once the files as they are committed.

    Raises RefusedError where git cannot list them.
    """
    names = _git(project, "ls-files", "-z", "-co", "--exclude-standard", "--", *PATHS).split("\0")
    present = sorted({name for name in names if name and (project / name).is_file()}, key=lambda name: name.encode())
    blobs = _git(project, "hash-object", "--stdin-paths", given="".join(f"{name}\n" for name in present)).split()
    lines = [
        f"{'100755' if (project / name).stat().st_mode & 0o100 else '100644'} blob {blob}\t{name}\n"
        for name, blob in zip(present, blobs, strict=True)
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def committed_hash(project: Path, commit: str) -> str | None:
    """The same of ``commit``; None where ``project`` is no clone that holds it."""
    try:
        listed = _git(project, "-c", "core.quotePath=off", "ls-tree", "-r", commit, *PATHS)
    except RefusedError:
        return None
    return hashlib.sha256(listed.encode()).hexdigest()


def _git(project: Path, *arguments: str, given: str = "") -> str:
    try:
        answer = subprocess.run(
            ["git", *arguments], cwd=project, input=given, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        raise RefusedError(f"git cannot list the code ({said.strip()}): a certificate names its tree") from None
    return answer.stdout
