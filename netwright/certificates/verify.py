"""Checking a release: what the certificate claims is computed anew from the raw results that lie beside it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from netwright.artifacts.certificate import read_certificate
from netwright.certificates.compose import dataset_facts, hash_files
from netwright.certificates.evidence import Evidence, read_evidence
from netwright.certificates.measured import SAME, check_report, measured
from netwright.certificates.method import Method
from netwright.certificates.release import RELEASE, VERSION, check_hashes
from netwright.certificates.steps import certified_rows, check_rows
from netwright.errors import UserError


def check_release(folder: Path) -> tuple[dict[str, Any], Evidence]:
    """Check hashes and schema of the release in ``folder``; return its certificate and the evidence for it.

    Raises UserError that names what is wrong.
    """
    facts = _release_facts(folder)
    certificate = read_certificate(folder)
    check_hashes(folder, facts["files"])
    check_hashes(folder, certificate["files"])
    places = {"reports": folder / "reports", "exports": folder / "exports"}
    evidence = read_evidence(**places, data=folder / "data/converted")
    check_claims({"files": certificate["files"]}, {"files": hash_files(evidence, **places)})
    return certificate, evidence


def check_numbers(certificate: Mapping[str, Any], evidence: Evidence) -> int:
    """Compute every number of ``certificate`` anew; return how many there are.

    Raises UserError that names the first that differs, or a row that may not be certified.
    """
    method = method_of(certificate)
    report = evidence.report
    check_rows(certified_rows(evidence.rows, report["baseline"], report["deployed"]))
    check_report(evidence)
    anew = {key: report[key] for key in ("deployed", "baseline", "machine", "tools")} | measured(evidence, method)
    anew["dataset"] = dataset_facts(evidence.dataset) | {"licence": certificate["dataset"]["licence"]}
    anew["architecture"] = certificate["architecture"] | _exported(evidence)
    return check_claims({key: certificate[key] for key in anew}, anew)


def check_claims(claimed: Mapping[str, Any], anew: Mapping[str, Any]) -> int:
    """Compare leaf by leaf, numbers to a billionth; return how many. Raises UserError for the first that differs."""
    pairs = list(_leaves("", claimed, anew))
    for place, told, found in pairs:
        if not _same(told, found):
            raise UserError(f"the certificate has {place} = {told!r}, the files beside it give {found!r}")
    return len(pairs)


def method_of(certificate: Mapping[str, Any]) -> Method:
    """How the certificate's numbers were made."""
    told = certificate["method"]
    return Method(
        metrics=tuple(told["metrics"]),
        resamples=told["resamples"],
        seed=told["seed"],
        confidence=told["confidence"],
    )


def _exported(evidence: Evidence) -> dict[str, Any]:
    """What the exports say of the architecture."""
    bundle, deployed = evidence.bundle, evidence.rows[evidence.report["deployed"]]
    spec = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(bundle.input).items()}
    counts = {key: deployed[key] for key in ("params", "macs")}
    return {"classes": list(bundle.classes), "input": spec} | counts


def _release_facts(folder: Path) -> dict[str, Any]:
    path = folder / RELEASE
    try:
        facts: dict[str, Any] = json.loads(path.read_text("utf-8"))
        version, _ = facts["version"], (facts["name"], facts["commit"], facts["files"].items())
    except FileNotFoundError:
        raise UserError(f"no {RELEASE} in {folder}: it is no release (python -m pipelines.certify issue)") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is damaged ({error})") from None
    if version != VERSION:
        raise UserError(f"{path} is of version {version!r}, known is {VERSION}")
    return facts


def _leaves(place: str, told: Any, found: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(told, Mapping) and isinstance(found, Mapping):
        for key in dict.fromkeys((*told, *found)):
            yield from _leaves(f"{place}.{key}".lstrip("."), told.get(key), found.get(key))
    elif isinstance(told, list) and isinstance(found, list) and len(told) == len(found):
        for number, pair in enumerate(zip(told, found, strict=True)):
            yield from _leaves(f"{place}[{number}]", *pair)
    else:
        yield place, told, found


def _same(told: Any, found: Any) -> bool:
    if isinstance(told, float | int) and isinstance(found, float | int) and not isinstance(told, bool):
        return abs(told - found) <= SAME * max(1.0, abs(found))
    return bool(told == found)
