"""The local key pair that signs releases: made on first use, private to its owner, outside every release."""

import hashlib
import os
import stat
from pathlib import Path

from netwright.artifacts.whole_file import write_bytes
from netwright.errors import UserError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def public_path(private: Path) -> Path:
    """Where the public half of ``private`` lies: beside it."""
    return private.with_name(f"{private.name}.pub")


def ensure_key(private: Path) -> bool:
    """Make an EC P-256 key pair at ``private`` and beside it, unless there is one; return whether it was made.

    Raises UserError for a key that others may read, or that is no EC key of a curve that model-signing takes.
    """
    made = not private.exists()
    if made:
        _make(private)
    elif private.stat().st_mode & _OTHERS:
        raise UserError(f"others may read the private key {private}: chmod 600 {private}, or sign with another one")
    public = _public_half(private)
    if not public_path(private).exists():
        write_bytes(public_path(private), public)
    return made


def fingerprint_of(public: Path) -> str:
    """Hex SHA-256 of the public key: what a signature names its key by. Raises UserError where it is none."""
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(public.read_bytes())
    except FileNotFoundError:
        raise UserError(f"no public key {public}: ask the signer for it, and give it with --public-key") from None
    except ValueError:
        raise UserError(f"{public} is no public key in PEM: ask the signer for it again") from None
    return hashlib.sha256(_pem(key)).hexdigest()


def _make(private: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    private.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = private.with_name(f".{private.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(pem)
            stream.flush()
            os.fsync(stream.fileno())
        os.link(temporary, private)  # never over a key that another process made meanwhile
    except FileExistsError:
        pass
    finally:
        temporary.unlink()


def _public_half(private: Path) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(private.read_bytes(), password=None)
    except (ValueError, TypeError) as error:  # TypeError: it has a password
        raise UserError(f"{private} is no usable private key ({error}): give another one with --key") from None
    if not isinstance(key, EllipticCurvePrivateKey):
        raise UserError(f"{private} is no elliptic curve key: give another one with --key")
    return _pem(key.public_key())


def _pem(public: object) -> bytes:
    from cryptography.hazmat.primitives import serialization

    pem: bytes = public.public_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem
