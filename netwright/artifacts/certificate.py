"""The certificate contract: ``certificate.json``, checked against certificate.schema.json, or the reason for none."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from netwright.artifacts.whole_file import write_json
from netwright.errors import UserError

CERTIFICATE = "certificate.json"
SCHEMA = Path(__file__).with_name("certificate.schema.json")
VERSION = 1


class RefusedError(UserError):
    """No certificate may be issued; the message is the reason."""


def check_certificate(certificate: Any) -> None:
    """Raise ValueError, naming the place, where ``certificate`` is of another version or breaks the schema."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    if not isinstance(certificate, Mapping) or "version" not in certificate:
        raise ValueError("$: not a certificate, it has no version")
    if certificate["version"] != VERSION:
        raise ValueError(f"$.version: it is of schema version {certificate['version']!r}, known is {VERSION}")
    schema = json.loads(SCHEMA.read_text("utf-8"))
    error = best_match(Draft202012Validator(schema).iter_errors(certificate))
    if error is not None:
        raise ValueError(f"{error.json_path}: {error.message[:300]}")


def write_certificate(folder: Path, certificate: Mapping[str, Any]) -> None:
    """Write certificate.json whole into ``folder``. Raises ValueError where it breaks the schema."""
    check_certificate(certificate)
    write_json(folder / CERTIFICATE, certificate)


def write_refusal(folder: Path, reason: str) -> None:
    """Write in the certificate's place why there is none: DVC wants every output of a stage."""
    write_json(folder / CERTIFICATE, {"version": VERSION, "refused": reason})


def read_certificate(folder: Path) -> dict[str, Any]:
    """Read and check certificate.json.

    Raises RefusedError with the reason where none was issued, UserError where the file is missing, damaged or of
    another schema version.
    """
    path = folder / CERTIFICATE
    try:
        certificate: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if isinstance(certificate, dict) and set(certificate) == {"version", "refused"}:
            raise RefusedError(f"no certificate: {certificate['refused']}")
        check_certificate(certificate)
    except FileNotFoundError:
        raise UserError(f"no {CERTIFICATE} in {folder}: run dvc repro benchmark") from None
    except ValueError as error:
        raise UserError(f"{path} is no valid certificate ({error})") from None
    return certificate
