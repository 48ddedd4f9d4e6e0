"""Not one byte, name or folder of a signed folder changes unnoticed."""

import base64
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from netwright.certificates.keys import ensure_key, fingerprint_of, public_path
from netwright.certificates.signature import SIGNATURE, check_signature, sign_folder
from netwright.errors import UserError


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    private = tmp_path_factory.mktemp("keys") / "private" / "signing.pem"
    assert ensure_key(private)
    return private


@pytest.fixture(scope="module")
def signed_once(tmp_path_factory: pytest.TempPathFactory, key: Path) -> Path:
    folder = tmp_path_factory.mktemp("signed") / "model"
    for name, content in {
        "certificate.json": b'{"version": 1}\n',
        "exports/model.onnx": bytes(range(256)) * 4,
        "exports/Readme.md": b"",
        ".gitattributes": b"*.onnx binary\n",
        ".git/config": b"[core]\n",
        "raw/truth/val.parquet": b"PAR1 PAR1",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    sign_folder(folder, key)
    return folder


@pytest.fixture
def signed(signed_once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(signed_once, tmp_path / "model"))


def test_an_untouched_copy_verifies(signed: Path, key: Path) -> None:
    os.utime(signed / "certificate.json", (1, 1))
    (signed / "exports/model.onnx").chmod(0o600)  # times and permissions change with every copy
    assert check_signature(signed, public_path(key)) == fingerprint_of(public_path(key))


def appended(folder: Path, name: str) -> None:
    with (folder / name).open("ab") as stream:
        stream.write(b"\n")


def linked(folder: Path, name: str) -> None:
    path = folder / name
    moved = folder.parent / "elsewhere"
    shutil.move(path, moved)
    path.symlink_to(moved)


TAMPERINGS: dict[str, tuple[Callable[[Path], object], str]] = {
    "byte": (
        lambda f: (f / "exports/model.onnx").write_bytes(b"\1" + bytes(range(1, 256)) * 4),
        "changed exports/model",
    ),
    "appended": (lambda f: appended(f, "certificate.json"), "changed certificate.json"),
    "appended to an empty file": (lambda f: appended(f, "exports/Readme.md"), "changed exports/Readme.md"),
    "emptied": (lambda f: (f / "certificate.json").write_bytes(b""), "changed certificate.json"),
    "removed": (lambda f: (f / "exports/Readme.md").unlink(), "missing exports/Readme.md"),
    "removed folder": (lambda f: shutil.rmtree(f / "raw"), "missing raw/truth/val.parquet"),
    "added": (lambda f: (f / "extra.txt").write_text("x"), "added extra.txt"),
    "added empty": (lambda f: (f / "raw/extra").touch(), "added raw/extra"),
    "added hidden": (lambda f: (f / ".hidden").touch(), "added .hidden"),
    "added .gitignore": (lambda f: (f / ".gitignore").touch(), "added .gitignore"),
    "added .github": (lambda f: ((f / ".github").mkdir(), (f / ".github/x").touch()), "added .github/x"),
    "changed .git": (lambda f: appended(f, ".git/config"), "changed .git/config"),
    "empty folder": (lambda f: (f / "raw/empty").mkdir(), "raw/empty is empty"),
    "empty folders": (lambda f: (f / "a/b/c").mkdir(parents=True), "a/b/c is empty"),
    "renamed": (lambda f: (f / "certificate.json").rename(f / "certificate.jsn"), "added certificate.jsn; missing"),
    "case": (lambda f: (f / "exports/Readme.md").rename(f / "exports/README.md"), "added exports/README.md; missing"),
    "moved": (
        lambda f: (f / "exports/Readme.md").rename(f / "Readme.md"),
        "added Readme.md; missing exports/Readme.md",
    ),
    "renamed folder": (lambda f: (f / "raw").rename(f / "Raw"), "added Raw/truth/val.parquet; missing"),
    "swapped": (
        lambda f: (
            shutil.copy(f / "certificate.json", f / "raw/truth/val.parquet"),
            (f / "certificate.json").write_bytes(b"PAR1 PAR1"),
        ),
        "changed certificate.json, raw/truth/val.parquet",
    ),
    "link to a file": (lambda f: linked(f, "certificate.json"), "is a link"),
    "link to a folder": (lambda f: linked(f, "raw"), "is a link"),
    "broken link": (lambda f: (f / "nothing").symlink_to("nowhere"), "is a link"),
    "pipe": (lambda f: os.mkfifo(f / "pipe"), "special file"),
    "no signature": (lambda f: (f / SIGNATURE).unlink(), "no model.sig in"),
    "signature is a link": (lambda f: linked(f, SIGNATURE), "it is a link"),
    "empty signature": (lambda f: (f / SIGNATURE).write_bytes(b""), "model.sig was tampered with"),
    "signature and a newline": (lambda f: appended(f, SIGNATURE), "not as they were written"),
    "second signature": (lambda f: shutil.copy(f / SIGNATURE, f / "raw/model.sig"), "added raw/model.sig"),
}


@pytest.mark.parametrize("case", TAMPERINGS)
def test_tampering_is_named(signed: Path, key: Path, case: str) -> None:
    tamper, reason = TAMPERINGS[case]
    tamper(signed)
    with pytest.raises(UserError, match=reason):
        check_signature(signed, public_path(key))


def test_no_byte_of_the_signature_is_free(signed: Path, key: Path) -> None:
    """Also not the bits of base64 that no decoder reads, the key's hint, and empty fields: one place in 29."""
    path = signed / SIGNATURE
    whole = path.read_bytes()
    for place in [*range(0, len(whole), 29), *range(whole.index(b'"sig"'), len(whole), 3)]:
        for flip in (0x01, 0x20):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :])
            with pytest.raises(UserError):
                check_signature(signed, public_path(key))
    for place in (0, len(whole) // 2, len(whole) - 6):
        path.write_bytes(whole[:place] + b" " + whole[place:])
        with pytest.raises(UserError, match="tampered"):
            check_signature(signed, public_path(key))


def test_a_statement_of_ones_own_does_not_verify(signed: Path, key: Path) -> None:
    """The file list rewritten to fit a changed file, the old signature kept."""
    path = signed / SIGNATURE
    bundle = json.loads(path.read_bytes())
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    statement["predicate"]["resources"].pop()
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(statement, indent=2).encode()).decode()
    path.write_bytes(json.dumps(bundle, separators=(",", ":")).encode())
    with pytest.raises(UserError, match="no signature by key"):
        check_signature(signed, public_path(key))


def test_another_key_is_said_so(signed: Path, key: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    ensure_key(other)
    mine, theirs = (fingerprint_of(public_path(path))[:16] for path in (key, other))
    with pytest.raises(UserError, match=f"was signed with key {mine}, not with {theirs}"):
        check_signature(signed, public_path(other))


def test_a_signature_that_leaves_files_out_is_refused(signed: Path, key: Path) -> None:
    """By the same key, made with the library's own defaults, which pass over git's files."""
    from model_signing import hashing, signing

    (signed / SIGNATURE).unlink()
    config = signing.Config().use_elliptic_key_signer(private_key=key)
    config.set_hashing_config(hashing.Config().set_ignored_paths(paths=[SIGNATURE]))
    config.sign(signed, signed / SIGNATURE)
    with pytest.raises(UserError, match=r"does not cover every file|added \.git"):
        check_signature(signed, public_path(key))


def test_the_private_key_is_private_and_made_once(tmp_path: Path) -> None:
    private = tmp_path / "a/b/signing.pem"
    assert ensure_key(private)
    assert private.stat().st_mode & 0o777 == 0o600
    assert private.parent.stat().st_mode & 0o077 == 0
    before = private.read_bytes()
    assert not ensure_key(private)
    assert private.read_bytes() == before
    assert sorted(path.name for path in private.parent.iterdir()) == ["signing.pem", "signing.pem.pub"]
    private.chmod(0o640)
    with pytest.raises(UserError, match="others may read the private key"):
        ensure_key(private)


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"not a key", "no usable private key"),
        (pem(rsa.generate_private_key(65537, 2048)), "no elliptic curve key"),
    ],
)
def test_what_cannot_sign_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    private = tmp_path / "signing.pem"
    private.write_bytes(content)
    private.chmod(0o600)
    with pytest.raises(UserError, match=reason):
        ensure_key(private)


def test_a_curve_that_model_signing_does_not_take(tmp_path: Path) -> None:
    private = tmp_path / "signing.pem"
    private.write_bytes(pem(ec.generate_private_key(ec.SECP256K1())))
    (tmp_path / "model").mkdir()
    (tmp_path / "model/file").touch()
    with pytest.raises(UserError, match=r"cannot be signed with .* curve"):
        sign_folder(tmp_path / "model", private)


@pytest.mark.parametrize(("content", "reason"), [(None, "no public key"), (b"x", "is no public key in PEM")])
def test_public_keys_that_are_none(signed: Path, tmp_path: Path, content: bytes | None, reason: str) -> None:
    public = tmp_path / "key.pub"
    if content is not None:
        public.write_bytes(content)
    with pytest.raises(UserError, match=reason):
        check_signature(signed, public)
