"""A certificate from the evidence, or the reason why none may be issued."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from netwright.artifacts.bundle import BUNDLE
from netwright.artifacts.certificate import VERSION, RefusedError, check_certificate
from netwright.artifacts.report import REPORT
from netwright.artifacts.whole_file import sha256_of
from netwright.certificates.evidence import DETECTIONS, LATENCIES, TRUTH, Evidence
from netwright.certificates.measured import check_report, measured
from netwright.certificates.method import Method, Statement
from netwright.certificates.steps import certified_rows, check_rows
from netwright.evaluation.draws import count_groups
from netwright.evaluation.truth import Truth
from netwright.types import Architecture

_TOOLS = ("numpy", "hotcoco")


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where the exports come from.

    ``stages`` has DVC's hashes of each stage's ``deps`` and ``outs``, ``configuration`` the values that these stages
    ran with, by section; ``code`` is the sha256 of the code in ``code_paths``; ``machine`` what this machine is;
    ``weights`` what init.json says; ``architecture`` that of the deployed model.
    """

    stages: Mapping[str, Mapping[str, Mapping[str, str]]]
    configuration: Mapping[str, Mapping[str, Any]]
    code: str
    code_paths: tuple[str, ...]
    machine: Mapping[str, Any]
    weights: Mapping[str, Any]
    architecture: Architecture


def compose(evidence: Evidence, method: Method, statement: Statement, provenance: Provenance) -> dict[str, Any]:
    """The certificate, without ``files`` (see ``hash_files``).

    Raises RefusedError where a field is missing, a certified row failed, was disturbed, disagrees with its reference
    or was measured on another machine, or the report's accuracy is not that of the raw detections.
    """
    report = evidence.report
    check_statement(statement)
    _check_machine(report["machine"], provenance.machine)
    rows = certified_rows(evidence.rows, report["baseline"], report["deployed"])
    check_rows(rows)
    _check_truth(evidence.truths)
    check_report(evidence)
    return {
        "version": VERSION,
        "deployed": report["deployed"],
        "baseline": report["baseline"],
        "architecture": _architecture(provenance.architecture, rows[report["deployed"]]),
        "weights": {
            "name": provenance.weights["weights"],
            **{key: provenance.weights[key] for key in ("source", "licence", "sha256")},
        },
        "training": _training(report, provenance.configuration),
        "dataset": dataset_facts(evidence.dataset) | {"licence": statement.dataset_licence},
        "method": asdict(method) | {"metrics": list(method.metrics), "tools": {name: version(name) for name in _TOOLS}},
        **measured(evidence, method),
        "code": {"sha256": provenance.code, "paths": list(provenance.code_paths)},
        "stages": provenance.stages,
        "machine": provenance.machine,
        "tools": report["tools"],
        "limitations": list(statement.limitations),
    }


def complete(certificate: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, Any]:
    """``certificate`` with ``files``, checked against the schema. Raises RefusedError, naming the place."""
    whole = {**certificate, "files": dict(files)}
    try:
        check_certificate(whole)
    except ValueError as error:
        raise RefusedError(f"a field is missing or wrong: {error}") from None
    return whole


def hash_files(evidence: Evidence, *, reports: Path, exports: Path) -> dict[str, str]:
    """Sha256 of every export, of the bundle, the report and the raw results, by their path in a release."""
    exported = {f"exports/{name}": exports / name for name in (BUNDLE, *(e.file for e in evidence.bundle.exports))}
    truth = sorted(path.relative_to(reports) for path in (reports / TRUTH).iterdir())
    told = {f"reports/{path.as_posix()}": reports / path for path in (Path(REPORT), DETECTIONS, LATENCIES, *truth)}
    return {name: sha256_of(path) for name, path in sorted((exported | told).items())}


def dataset_facts(report: Mapping[str, Any]) -> dict[str, Any]:
    """What a certificate says of the dataset, from the converted dataset's report."""
    return {
        **{key: report[key] for key in ("name", "fingerprint", "format")},
        "splits": {name: {key: row[key] for key in ("images", "boxes")} for name, row in report["splits"].items()},
        "leakage": {key: report["leakage"][key] for key in ("action", "exact", "near")},
        **{key: report[key] for key in ("split_origin", "group_origin", "boxes_dropped", "boxes_clipped")},
    }


def check_statement(statement: Statement) -> None:
    """Raise RefusedError where the author has left out what no file tells."""
    if not any(text.strip() for text in statement.limitations):
        raise RefusedError(
            "certificate.limitations is empty: write in conf/ what the model was not tested on and must not be used for"
        )
    if not statement.dataset_licence.strip():
        raise RefusedError("certificate.dataset_licence is empty: write in conf/ under which licence the pictures are")


def _check_machine(measured_on: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    if not measured_on:
        raise RefusedError("the benchmark knows no machine: python -m pipelines.machine, then dvc repro benchmark")
    other = sorted(key for key in {*measured_on, *here} if measured_on.get(key) != here.get(key))
    if other:
        raise RefusedError(
            f"the rows were measured on another machine ({', '.join(other)} differ): dvc repro benchmark"
        )


def _check_truth(truths: Mapping[str, Truth]) -> None:
    for split, truth in truths.items():
        boxes, groups = sum(map(len, truth.labels)), count_groups(truth)
        if groups < 2 or not boxes:
            raise RefusedError(
                f"split {split} has {boxes} boxes in {len(truth)} pictures ({groups} independent groups of them), "
                "too few for an interval: give it more"
            )


def _architecture(architecture: Architecture, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{key: getattr(architecture, key) for key in ("builder", "backbone", "neck_channels")},
        "levels": list(architecture.levels),
        "classes": list(architecture.classes),
        "params": row["params"],
        "macs": row["macs"],
        "quantizers": len(architecture.quantizers),
        "input": {
            key: list(value) if isinstance(value, tuple) else value for key, value in asdict(architecture.input).items()
        },
    }


def _training(report: Mapping[str, Any], configuration: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    train = configuration.get("train", {})
    return {
        "epochs": dict(report.get("epochs", {})),
        "batch_size": train.get("batch_size"),
        "precision": train.get("precision"),
        "seeds": dict(_seeds("", configuration)),
        "configuration": {section: dict(values) for section, values in configuration.items()},
    }


def _seeds(place: str, values: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _seeds(f"{place}{key}.", value)
        elif key == "seed":
            yield f"{place}{key}", value
