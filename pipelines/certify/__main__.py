"""``python -m pipelines.certify issue|verify|replay``: a signed release of the result, and what holds of one.

issue NAME    assembles and signs release/NAME: exports, certificate, report, raw results
verify DIR    checks signature, hashes and schema, and computes every number anew from the raw results
replay DIR    measures accuracy, and speed as a ratio, on this machine and its converted dataset
key           prints the public key's file, which whoever verifies needs from you
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from netwright.errors import UserError
from stages._entry.failures import guarded

RELEASES = Path("release")
KEY_VARIABLE = "NETWRIGHT_SIGNING_KEY"


def default_key() -> Path:
    """``NETWRIGHT_SIGNING_KEY``, or else signing.pem in the user's own configuration folder."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return Path(os.environ.get(KEY_VARIABLE) or home / "netwright" / "signing.pem")


def issue(given: argparse.Namespace) -> None:
    """Issue a release of the project's result."""
    from netwright.certificates.keys import fingerprint_of, public_path
    from pipelines.certify.release import issue_release

    release = issue_release(Path.cwd(), given.name, given.out, given.key, replace=given.replace)
    public = public_path(given.key)
    print(f"certify: {release} is signed with key {fingerprint_of(public)[:16]}; to verify: {public}", flush=True)


def verify(given: argparse.Namespace) -> None:
    """Verify a release."""
    from pipelines.certify.checks import verify_release

    for line in verify_release(given.release, given.public_key or _own_public_key()):
        print(f"certify: {line}", flush=True)


def replay(given: argparse.Namespace) -> None:
    """Measure a release again."""
    from pipelines.certify.replay import replay_release

    replay_release(given.release, given.public_key or _own_public_key(), data=given.data, within=given.within)


def key(given: argparse.Namespace) -> None:
    """Print the public key's file and fingerprint."""
    from netwright.certificates.keys import ensure_key, fingerprint_of, public_path

    ensure_key(given.key)
    public = public_path(given.key)
    print(f"certify: {public} is key {fingerprint_of(public)}", flush=True)


def _own_public_key() -> Path:
    from netwright.certificates.keys import public_path

    public = public_path(default_key())
    if not public.is_file():
        raise UserError("whose release is it? Give the signer's public key with --public-key FILE")
    return public


def request(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; ``run`` is the verb."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m pipelines.certify", description=__doc__, formatter_class=form)
    verbs = parser.add_subparsers(required=True, metavar="issue|verify|replay|key")
    one = verbs.add_parser("issue", help="assemble and sign a release of the result in this project")
    one.add_argument("name", help="of the release: letters, digits, dots, dashes")
    one.add_argument("--out", type=Path, default=RELEASES, help="folder of the releases")
    one.add_argument("--replace", action="store_true", help="replace the release of this name")
    one.set_defaults(run=issue)
    whose = verbs.add_parser("key", help="print the public key's file")
    whose.set_defaults(run=key)
    for private in (one, whose):
        private.add_argument("--key", type=Path, default=default_key(), help="private key, made where it is missing")
    for name, run in (("verify", verify), ("replay", replay)):
        of = verbs.add_parser(name, help=str(run.__doc__).lower())
        of.add_argument("release", type=Path, help="the folder of the release")
        of.add_argument("--public-key", type=Path, help="the signer's, by default your own")
        of.set_defaults(run=run)
    of.add_argument("--data", type=Path, default=Path("data/converted"), help="the converted dataset")
    of.add_argument("--within", type=float, default=1.0, metavar="POINTS", help="of 0.01; more apart is an error")
    return parser.parse_args(arguments)


def main() -> None:
    """Run the verb."""
    given = request()
    given.run(given)


if __name__ == "__main__":
    sys.exit(guarded("certify", main))
