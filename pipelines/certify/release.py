"""Issuing a release of the result in a project: only what DVC and git both know exactly is signed."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from netwright.artifacts.certificate import CERTIFICATE, write_certificate
from netwright.artifacts.dataset_report import DATASET_PAGE, DATASET_REPORT
from netwright.artifacts.model import ARCHITECTURE
from netwright.artifacts.report import METRICS, read_report
from netwright.certificates.keys import ensure_key, public_path
from netwright.certificates.release import check_free, copy_into, new_release, write_release_facts
from netwright.certificates.signature import check_signature, sign_folder
from netwright.errors import UserError
from netwright.reporting.certificate_page import write_certificate_page
from netwright.reporting.certificate_text import write_certificate_text
from pipelines.machine import describe_machine
from stages import paths
from stages._certificate.build import WEIGHTS, build_certificate, deployed_model
from stages._certificate.code_tree import PATHS
from stages._certificate.dvc_lock import LOCK
from stages._entry.app import validated

SNAPSHOT = "params.yaml"
_COMMITTED = (*PATHS, "conf", SNAPSHOT, LOCK)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def issue_release(project: Path, name: str, releases: Path, key: Path, *, replace: bool) -> Path:
    """Assemble and sign ``releases``/``name`` from the result in ``project``; return it.

    Raises UserError where the name is taken or odd, git or DVC do not have exactly this result, the key cannot sign,
    or no certificate may be issued; nothing is left then.
    """
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{name!r} cannot name a release: letters, digits, dots, dashes, underscores, such as cells-1.0"
        )
    folder = releases / name
    check_free(folder, replace=replace)
    if key.resolve().is_relative_to(releases.resolve()):
        raise UserError(f"the private key {key} is inside {releases}, which is given away: keep it elsewhere")
    commit = _commit(project)
    _check_up_to_date(project)
    settings = validated(yaml.safe_load((project / SNAPSHOT).read_text("utf-8")))
    certificate = build_certificate(settings, project, describe_machine())
    if ensure_key(key):
        print(f"certify: made the key {key} (keep it private) and {public_path(key)}", flush=True)
    with new_release(folder, replace=replace) as made:
        copy_into(made, {path: project / path for path in (*certificate["files"], *_others(project))})
        write_certificate(made, certificate)
        write_certificate_page(made / Path(CERTIFICATE).with_suffix(".html"), certificate, name=name)
        write_certificate_text(made / Path(CERTIFICATE).with_suffix(".md"), certificate, name=name)
        write_release_facts(made, commit=commit, files=(LOCK, SNAPSHOT))
        sign_folder(made, key)
        check_signature(made, public_path(key))
    return folder


def _others(project: Path) -> list[str]:
    """What a reader wants beside the files that the certificate names."""
    pages = (paths.REPORTS / "index.html", paths.REPORTS / METRICS, paths.CONVERTED / DATASET_PAGE)
    needed = (paths.CONVERTED / DATASET_REPORT, Path(SNAPSHOT), Path(LOCK))
    models = model_files(read_report(project / paths.REPORTS))
    return [path.as_posix() for path in (*needed, *models, *(path for path in pages if (project / path).is_file()))]


def model_files(report: Mapping[str, Any]) -> tuple[Path, Path]:
    """What the certificate's architecture and weights are read from."""
    return deployed_model(report) / ARCHITECTURE, WEIGHTS


def _commit(project: Path) -> str:
    """The commit that holds exactly this code, configuration and dvc.lock."""
    changed = _git(project, "status", "--porcelain", "--", *_COMMITTED).splitlines()
    if changed:
        names = ", ".join(line[3:] for line in changed[:4]) + (" ..." if changed[4:] else "")
        raise UserError(
            f"a release names the commit that made it, and {names} is not committed: git add and commit first"
        )
    return _git(project, "rev-parse", "HEAD").strip()


def _git(project: Path, *arguments: str) -> str:
    try:
        answer = subprocess.run(["git", *arguments], cwd=project, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip()
        raise UserError(f"git does not know this project ({said}): a release names its commit") from None
    return answer.stdout


def _check_up_to_date(project: Path) -> None:
    """Raise UserError where a stage would run again: what lies here is then not what the commit makes."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(project)) as repo:
            stale = repo.status()
    except DvcException as error:
        raise UserError(f"DVC cannot say whether the result is up to date ({error})") from None
    if stale:
        raise UserError(
            f"not up to date: {', '.join(sorted(stale))}; run python -m pipelines.repro, then commit dvc.lock"
        )
