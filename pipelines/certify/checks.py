"""Verifying a release: signature, hashes, schema, and the whole certificate computed anew."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from netwright.artifacts.certificate import RefusedError
from netwright.artifacts.report import read_report
from netwright.certificates.signature import check_signature
from netwright.certificates.verify import check_claims, read_release
from netwright.errors import UserError
from pipelines.certify.release import model_files
from stages import paths
from stages._certificate.build import certificate_of
from stages._certificate.code_tree import committed_hash
from stages._certificate.dvc_lock import check_outputs_recorded, configuration_of, read_all, read_lock


def verify_release(folder: Path, public: Path) -> Iterator[str]:
    """Yield a line for each thing that holds. Raises UserError that names the first that does not."""
    if not folder.is_dir():
        raise UserError(f"no folder {folder}: give that of a release, such as release/cells-1.0")
    key = check_signature(folder, public)
    yield f"signature: every file of {folder} is as key {key[:16]} signed it"
    certificate, commit = read_release(folder)
    yield f"schema and hashes: version {certificate['version']}, {len(certificate['files'])} files"
    count = check_claims(certificate, _computed_anew(certificate, folder))
    yield f"content: {count} values of {certificate['deployed']} are those of the raw results and dvc.lock"
    yield _code(certificate["code"]["sha256"], commit)
    yield f"verified: {folder}"


def _code(certified: str, commit: str) -> str:
    """Whether the commit holds the code: only a clone of the project can tell."""
    found = committed_hash(Path.cwd(), commit)
    if found is None:
        return f"code: not checked, commit {commit[:12]} is not in a clone here"
    if found != certified:
        raise UserError(f"commit {commit[:12]} holds other code than the certificate's {certified[:12]}")
    return f"code: commit {commit[:12]} holds it"


def _computed_anew(certificate: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The certificate that the files of the release give.

    Two things are taken from the certificate, since no file here tells them: the code's hash, and the versions of the
    tools that computed it.
    """
    report = read_report(folder / paths.REPORTS)
    released = [path.as_posix() for path in (paths.EXPORTS, *model_files(report))]
    given = {"code": certificate["code"]["sha256"], "machine": report["machine"]}
    try:
        stages = read_lock(folder)
        check_outputs_recorded(folder, stages, only=released)
        anew = certificate_of(folder, stages, configuration_of(read_all(folder)), **given)
    except RefusedError as reason:
        raise UserError(f"{folder} holds a result that may not be certified: {reason}") from None
    anew["method"]["tools"] = certificate["method"]["tools"]
    return anew
