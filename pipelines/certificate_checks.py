"""Verifying a release: signature, hashes, schema, and every number computed anew."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from netwright.artifacts.certificate import RefusedError
from netwright.certificates.signature import check_signature
from netwright.certificates.verify import check_claims, check_numbers, check_release
from netwright.errors import UserError
from stages._certificate.dvc_lock import configuration_of, hashes_of, read_all, read_lock


def verify_release(folder: Path, public: Path) -> Iterator[str]:
    """Yield a line for each thing that holds. Raises UserError that names the first that does not."""
    if not folder.is_dir():
        raise UserError(f"no folder {folder}: give that of a release, such as release/cells-1.0")
    key = check_signature(folder, public)
    yield f"signature: every file of {folder} is as key {key[:16]} signed it"
    certificate, evidence = check_release(folder)
    yield f"schema and hashes: version {certificate['version']}, {len(certificate['files'])} files"
    count = check_numbers(certificate, evidence)
    count += _check_provenance(certificate, folder)
    yield f"numbers: {count} values of {certificate['deployed']} are those of the raw results and dvc.lock"
    yield f"verified: {folder}"


def _check_provenance(certificate: Mapping[str, Any], folder: Path) -> int:
    """Compare stages and configuration with the dvc.lock of the release."""
    try:
        anew = {
            "stages": hashes_of(read_lock(folder)),
            "training": {"configuration": configuration_of(read_all(folder))},
        }
    except RefusedError as reason:
        raise UserError(f"{folder}: {reason}") from None
    claimed = {
        "stages": certificate["stages"],
        "training": {"configuration": certificate["training"]["configuration"]},
    }
    anew["training"]["configuration"].pop("certificate", None)
    return check_claims(claimed, anew)
