"""The files that a certificate's numbers are computed from: the benchmark's report and raw results, the truth."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from netwright.artifacts.bundle import Bundle, read_bundle
from netwright.artifacts.dataset import read_labels, read_manifest, write_dataset
from netwright.artifacts.dataset_report import read_dataset_report
from netwright.artifacts.report import read_report, row_name
from netwright.deployment.latency import Samples, read_latencies
from netwright.errors import UserError
from netwright.evaluation.detections import Detections, read_detections
from netwright.evaluation.evaluation import Evaluation, evaluate
from netwright.evaluation.truth import Truth, read_truth

SPLITS = ("val", "test")
DETECTIONS, LATENCIES, TRUTH = Path("raw/detections.parquet"), Path("raw/latencies.parquet"), Path("raw/truth")


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Read once. ``detections`` by row (``export@runtime``) and split, then by picture; ``samples`` by row."""

    report: dict[str, Any]
    bundle: Bundle
    dataset: dict[str, Any]
    truths: dict[str, Truth]
    detections: dict[tuple[str, str], dict[str, Detections]]
    samples: dict[str, Samples]

    @cached_property
    def rows(self) -> Mapping[str, Mapping[str, Any]]:
        """The report's rows by name."""
        return {row_name(row): row for row in self.report["rows"]}

    def evaluation(self, row: str, split: str) -> Evaluation:
        """What ``row`` found on ``split``, matched with the truth. Raises UserError where a picture has no entry."""
        truth, found = self.truths[split], self.detections.get((row, split), {})
        if set(found) != set(truth.names):
            raise UserError(f"{DETECTIONS} has {len(found)} pictures of {row} on {split}, the truth {len(truth)}")
        try:
            return evaluate(truth, [found[name] for name in truth.names])
        except ValueError as error:
            raise UserError(f"{DETECTIONS}: {error}") from None

    def timed(self, row: str) -> Samples:
        """The timed calls of ``row``. Raises UserError where there is none."""
        if row not in self.samples:
            raise UserError(f"{LATENCIES} has no call of {row}")
        return self.samples[row]


def read_evidence(*, reports: Path, exports: Path, data: Path) -> Evidence:
    """Read all of it; ``data`` needs its report.json alone. Raises UserError where a file is missing or damaged."""
    try:
        detections: dict[tuple[str, str], dict[str, Detections]] = {}
        for export, runtime, split, picture, found in read_detections(reports / DETECTIONS):
            detections.setdefault((f"{export}@{runtime}", split), {})[picture] = found
        samples = read_latencies(reports / LATENCIES)
    except (OSError, KeyError, ValueError, TypeError, pa.ArrowException) as error:
        raise UserError(f"the raw results in {reports / 'raw'} cannot be read ({error}): run dvc repro") from None
    return Evidence(
        report=read_report(reports),
        bundle=read_bundle(exports),
        dataset=read_dataset_report(data),
        truths={split: read_truth(reports / TRUTH, split).with_crowds_as_boxes() for split in SPLITS},
        detections=detections,
        samples={f"{export}@{runtime}": timed for (export, runtime), timed in samples.items()},
    )


def write_truth(reports: Path, data: Path) -> None:
    """Put the labels of the dataset ``data``, without its pictures, beside the raw results."""
    manifest = read_manifest(data)
    records = [replace(record, source="") for split in SPLITS for record in read_labels(data, split)]
    write_dataset(reports / TRUTH, manifest.name, manifest.classes, records, fingerprint=manifest.fingerprint)
