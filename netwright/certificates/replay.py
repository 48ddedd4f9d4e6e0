"""A released model measured again, on this machine, with the pictures that lie here."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from netwright.artifacts.bundle import Bundle, read_bundle
from netwright.artifacts.dataset import read_manifest
from netwright.certificates.evidence import SPLITS
from netwright.certificates.metrics import overall_values
from netwright.data.feeding.pictures import PictureSet, load_pictures
from netwright.deployment.latency import Ratio, median_ratio, percentiles
from netwright.deployment.rows import Row, open_rows, score_rows, time_rows
from netwright.deployment.runtimes.protocol import Conditions
from netwright.deployment.timing_lock import Neighbours, timing_alone
from netwright.errors import UserError
from netwright.evaluation.evaluation import evaluate
from netwright.evaluation.truth import truth_of
from netwright.types import NmsPolicy

Certificate = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Again:
    """One accuracy of the deployed row: ``certified`` and as found ``here``, 0..1."""

    split: str
    metric: str
    certified: float
    here: float


@dataclass(frozen=True, kw_only=True)
class Replay:
    """``speedup`` of deployed over baseline here (None: they are one row); ``p50`` in milliseconds by row."""

    accuracies: tuple[Again, ...]
    speedup: Ratio | None
    p50: dict[str, float]
    precision_used: dict[str, str]
    disturbed: bool


def replay(certificate: Certificate, exports: Path, *, data: Path, scratch: Path) -> Replay:
    """Score the deployed row on val and test of ``data``, then time it in turns with the baseline.

    Raises UserError where ``data`` is another dataset than the certified one, and for a row that does not run here.
    """
    _check_dataset(certificate, data)
    bundle, settings = read_bundle(exports), certificate["training"]["configuration"]
    rows = {name: _open(certificate, name, bundle, exports, scratch) for name in _named(certificate)}
    splits = {split: load_pictures(data, split, bundle.input, scratch=scratch) for split in SPLITS}
    deployed, batch = rows[certificate["deployed"]], certificate["speed"]["batch"]
    score_rows([deployed], splits, NmsPolicy(**settings["nms"]), batch=batch)
    _check_ran(deployed)
    timing = {"warmup": settings["benchmark"]["warmup"], "rounds": settings["benchmark"]["rounds"]}
    with timing_alone(scratch / "timing.lock"):
        neighbours = Neighbours().start()
        time_rows([*rows.values()], splits["val"], batch=batch, **timing)
        disturbed = neighbours.disturbed()
    return Replay(
        accuracies=tuple(_accuracies(certificate, deployed, splits)),
        speedup=_speedup(certificate, rows),
        p50={name: percentiles(row.samples.milliseconds)["p50"] for name, row in rows.items() if row.samples},
        precision_used={name: row.facts.precision_used for name, row in rows.items() if row.facts},
        disturbed=disturbed,
    )


def _named(certificate: Certificate) -> list[str]:
    return [*dict.fromkeys((certificate["baseline"], certificate["deployed"]))]


def _check_dataset(certificate: Certificate, data: Path) -> None:
    here, certified = read_manifest(data).fingerprint, certificate["dataset"]["fingerprint"]
    if here != certified:
        raise UserError(
            f"{data} has the fingerprint {here[:16]}, certified is {certified[:16]}: convert that dataset here"
        )


def _open(certificate: Certificate, name: str, bundle: Bundle, exports: Path, scratch: Path) -> Row:
    """The row called ``name``, under the conditions that it was certified under."""
    export, _, runtime = name.partition("@")
    speed = next(step["speed"] for step in certificate["lineage"] if step["row"] == name)
    (row,) = open_rows(
        replace(bundle, exports=tuple(entry for entry in bundle.exports if entry.name == export)),
        exports,
        networks={entry.model: _no_network for entry in bundle.exports},
        runtimes=[runtime],
        conditions=Conditions(threads=speed["threads"], device=speed["device"], batch=speed["batch"]),
        engines=scratch / "engines",
    )
    _check_ran(row)
    return row


def _no_network() -> torch.nn.Module:
    raise UserError("a release holds ONNX files and no torch network: a torch row can be verified, but not replayed")


def _check_ran(row: Row) -> None:
    if row.status != "ok":
        raise UserError(f"row {row.name} does not run here: {row.reason}")


def _accuracies(certificate: Certificate, row: Row, splits: Mapping[str, PictureSet]) -> list[Again]:
    again = []
    for split, pictures in splits.items():
        found = overall_values(evaluate(truth_of(pictures), row.found[split]), certificate["method"]["metrics"])
        for metric, told in certificate["accuracy"][split]["overall"].items():
            here = found[metric]
            if told["value"] is not None and here is not None:
                again.append(Again(split=split, metric=metric, certified=told["value"], here=here))
    return again


def _speedup(certificate: Certificate, rows: Mapping[str, Row]) -> Ratio | None:
    first, last = (rows[certificate[which]].samples for which in ("baseline", "deployed"))
    if certificate["baseline"] == certificate["deployed"] or first is None or last is None:
        return None
    return median_ratio(first, last)
