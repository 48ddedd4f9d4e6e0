"""The certificate of the result that lies in the project: the benchmark leaves it, a release is issued with it."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from netwright.artifacts.certificate import write_certificate, write_refusal
from netwright.artifacts.model import load_architecture
from netwright.artifacts.report import row_name
from netwright.certificates.method import Method, Statement
from netwright.errors import UserError
from stages import paths
from stages._certificate.code_tree import PATHS, code_hash
from stages._certificate.dvc_lock import Stages, check_outputs_recorded, configuration_of, hashes_of, read_lock
from stages.settings import Settings

MODELS = {"trained": paths.TRAINED, "pruned": paths.PRUNED, "quantized": paths.QUANTIZED}
WEIGHTS = paths.INIT / "init.json"
SECTION = "certificate"
MEASURED_WITH = ("benchmark", "nms", SECTION)  # sections that the benchmark runs with, not yet in dvc.lock


def build_certificate(settings: Settings, project: Path, machine: Mapping[str, Any]) -> dict[str, Any]:
    """Compose and check the certificate of ``project``'s result. ``machine`` is what this machine is.

    Of ``settings`` the sections certificate, benchmark and nms are read. Raises RefusedError where it may not be
    issued, UserError where a file of the result is missing or damaged.
    """
    from netwright.certificates.compose import check_statement

    check_statement(_statement(asdict(settings.certificate)))
    stages = read_lock(project)
    check_outputs_recorded(project, stages)
    measured_with = {name: asdict(getattr(settings, name)) for name in MEASURED_WITH}
    return certificate_of(
        project, stages, configuration_of(stages) | measured_with, code=code_hash(project), machine=machine
    )


def certificate_of(
    folder: Path,
    stages: Stages,
    configuration: Mapping[str, Mapping[str, Any]],
    *,
    code: str,
    machine: Mapping[str, Any],
) -> dict[str, Any]:
    """The certificate of the result in ``folder``, a project or a release, which has the same places.

    ``stages`` are those before the benchmark, ``configuration`` the sections that all of them ran with.
    """
    from netwright.certificates.compose import Provenance, complete, compose, hash_files
    from netwright.certificates.evidence import read_evidence

    told = configuration[SECTION]
    reports, exports = folder / paths.REPORTS, folder / paths.EXPORTS
    evidence = read_evidence(reports=reports, exports=exports, data=folder / paths.CONVERTED)
    provenance = Provenance(
        stages=hashes_of(stages),
        configuration={name: values for name, values in configuration.items() if name != SECTION},
        code=code,
        code_paths=PATHS,
        machine=machine,
        weights=_weights(folder / WEIGHTS),
        architecture=load_architecture(folder / deployed_model(evidence.report)),
    )
    certificate = compose(evidence, _method(told), _statement(told), provenance)
    return complete(certificate, hash_files(evidence, reports=reports, exports=exports))


def deployed_model(report: Mapping[str, Any]) -> Path:
    """The folder of the model that the deployed row was exported from."""
    return MODELS[next(row["model"] for row in report["rows"] if row_name(row) == report["deployed"])]


def leave_certificate(settings: Settings, project: Path) -> None:
    """Write certificate.json into the reports: the certificate, or in its place the reason why there is none."""
    from netwright.certificates.evidence import write_truth

    reports, machine = project / paths.REPORTS, project / paths.MACHINE
    write_truth(reports, project / paths.CONVERTED)
    try:
        known = json.loads(machine.read_text("utf-8")) if machine.is_file() else {}
        certificate = build_certificate(settings, project, known)
    except UserError as reason:  # RefusedError, or a file that a hand-made result lacks: the measurements are good
        write_refusal(reports, str(reason))
        print(f"benchmark: no certificate: {reason}", flush=True)
    else:
        write_certificate(reports, certificate)
        print(f"benchmark: certified {certificate['deployed']} (python -m pipelines.certify issue NAME)", flush=True)


def _method(told: Mapping[str, Any]) -> Method:
    numbers = {name: told[name] for name in ("resamples", "seed", "confidence")}
    return Method(metrics=tuple(told["metrics"]), **numbers)


def _statement(told: Mapping[str, Any]) -> Statement:
    return Statement(dataset_licence=told["dataset_licence"], limitations=tuple(told["limitations"]))


def _weights(path: Path) -> dict[str, Any]:
    try:
        weights: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return {key: weights[key] for key in ("weights", "source", "licence", "sha256")}
    except FileNotFoundError:
        raise UserError(f"{path} is missing: dvc repro pretrain-init") from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged ({error}): dvc repro -f -s pretrain-init") from None
