"""Signing a folder with OpenSSF model-signing, and checking that not one byte, name or folder differs since.

The library alone would let pass: git's own files, unless told otherwise on both sides; empty folders; bytes of the
signature file that nothing depends on. Here all of them are refused. Permissions and times are not signed: copying
changes them.
"""

import base64
import json
import os
from pathlib import Path
from typing import Any

from netwright.artifacts.whole_file import sha256_of
from netwright.certificates.keys import fingerprint_of
from netwright.errors import UserError

SIGNATURE = "model.sig"
_SERIALIZATION = {"ignore_paths": [SIGNATURE], "allow_symlinks": False, "method": "files", "hash_type": "sha256"}
_BUNDLE_TYPE, _PAYLOAD_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json", "application/vnd.in-toto+json"


def sign_folder(folder: Path, private: Path) -> None:
    """Write ``folder``/model.sig over all of its files. Raises UserError for a key that cannot sign, and for links."""
    from model_signing import signing

    try:
        config = signing.Config().use_elliptic_key_signer(private_key=private)
        config.set_hashing_config(_everything()).sign(folder, folder / SIGNATURE)
    except (ValueError, TypeError) as error:
        raise UserError(f"{folder} cannot be signed with {private} ({error})") from None


def check_signature(folder: Path, public: Path) -> str:
    """Check that ``folder`` is to the byte what the owner of ``public`` signed; return the key's fingerprint.

    Raises UserError that names what differs.
    """
    from cryptography.exceptions import InvalidSignature
    from model_signing import verifying

    key = fingerprint_of(public)
    payload = _read_payload(folder, key)
    files = _inventory(folder)
    try:
        config = verifying.Config().use_elliptic_key_verifier(public_key=public)
        config.set_hashing_config(_everything()).verify(folder, folder / SIGNATURE)
    except InvalidSignature:
        raise UserError(f"{folder / SIGNATURE} was tampered with: it is no signature by key {key[:16]}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(_difference(folder, payload, files) or f"{folder} is not what was signed: {error}") from None
    predicate = payload["predicate"]
    if predicate["serialization"] != _SERIALIZATION or {row["name"] for row in predicate["resources"]} != files:
        raise UserError(f"{folder / SIGNATURE} does not cover every file: it was not made by pipelines.certify")
    return key


def _everything() -> Any:
    """Hash every file but the signature: git's as well, and no link."""
    from model_signing import hashing

    return hashing.Config().set_ignored_paths(paths=[SIGNATURE], ignore_git_paths=False)


def _read_payload(folder: Path, key: str) -> dict[str, Any]:
    """The signed statement, not yet verified."""
    path = folder / SIGNATURE
    try:
        signer, payload = _parsed(path)
    except FileNotFoundError:
        raise UserError(f"no {SIGNATURE} in {folder}: it is no signed release") from None
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise UserError(f"{path} was tampered with ({error})") from None
    if signer != key:
        raise UserError(
            f"{folder} was signed with key {signer[:16]}, not with {key[:16]}: give the signer's public key"
        )
    return payload


def _parsed(path: Path) -> tuple[str, dict[str, Any]]:
    """The name of the signer's key and the statement. Only the one way to write the file down is taken."""
    if path.is_symlink():
        raise ValueError("it is a link")
    text = path.read_bytes()
    bundle = json.loads(text)
    envelope, signer = bundle["dsseEnvelope"], bundle["verificationMaterial"]["publicKey"]["hint"]
    encoded, signed = envelope["payload"], envelope["signatures"][0]["sig"]
    if text != _bundle(signer, _canonical(encoded), _canonical(signed)):
        raise ValueError("its bytes are not as they were written")
    payload: dict[str, Any] = json.loads(base64.b64decode(encoded, validate=True))
    return signer, payload


def _canonical(encoded: str) -> str:
    """``encoded`` decoded and encoded again: base64 has bits that no decoder reads."""
    return base64.b64encode(base64.b64decode(encoded, validate=True)).decode("ascii")


def _bundle(key: str, payload: str, signed: str) -> bytes:
    """The file as model-signing writes it."""
    bundle = {
        "mediaType": _BUNDLE_TYPE,
        "verificationMaterial": {"publicKey": {"hint": key}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": payload,
            "payloadType": _PAYLOAD_TYPE,
            "signatures": [{"sig": signed, "keyid": ""}],
        },
    }
    return json.dumps(bundle, separators=(",", ":")).encode()


def _inventory(folder: Path) -> set[str]:
    """Every file below ``folder`` but the signature. Raises UserError for links, special files and empty folders."""
    files: set[str] = set()
    for place, folders, names in os.walk(folder):
        here = Path(place)
        if not folders and not names:
            raise UserError(f"the folder {here} is empty: it was not signed")
        for path in (here / name for name in (*folders, *names)):
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise UserError(f"{path} is a link or a special file: it was not signed")
        files |= {(here / name).relative_to(folder).as_posix() for name in names}
    return files - {SIGNATURE}


def _difference(folder: Path, payload: dict[str, Any], files: set[str]) -> str:
    """In words, the files that were changed, added or removed since; empty where none was."""
    signed = {row["name"]: row["digest"] for row in payload["predicate"]["resources"]}
    changed = [name for name in sorted(files & set(signed)) if sha256_of(folder / name) != signed[name]]
    kinds = (("changed", changed), ("added", sorted(files - set(signed))), ("missing", sorted(set(signed) - files)))
    parts = [f"{kind} {', '.join(names[:5])}{' ...' if names[5:] else ''}" for kind, names in kinds if names]
    return f"{folder} is not what was signed: {'; '.join(parts)}" if parts else ""
