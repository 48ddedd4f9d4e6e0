"""benchmark: every export on every runtime, to reports/: accuracy, latency, throughput, parity, and a page."""

import json
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netwright.errors import UserError
from netwright.types import NmsPolicy
from stages import paths
from stages._certificate.build import leave_certificate
from stages._entry import Host, stage
from stages.settings import Benchmark, Settings

if TYPE_CHECKING:
    from netwright.artifacts.bundle import Bundle
    from netwright.data.feeding.pictures import PictureSet
    from netwright.deployment.rows import Row
    from netwright.reporting.curves import History
    from netwright.reporting.data_section import DataSection

TOOLS = ("torch", "onnx", "polygraphy", "hotcoco")


def run(
    benchmark: Benchmark,
    nms: NmsPolicy,
    *,
    data: Path,
    exports: Path,
    models: Mapping[str, Path],
    machine: Path,
    target: Path,
    engines: Path,
    scratch: Path,
    device: str,
    workers: int = 0,
) -> dict[str, Any]:
    """Measure, write everything below ``target`` and return the report. ``models`` maps names to model folders."""
    from netwright.artifacts.bundle import read_bundle
    from netwright.artifacts.report import write_report
    from netwright.compression.quantized import load_network
    from netwright.data.feeding.pictures import load_pictures
    from netwright.deployment.row_report import write_raw
    from netwright.deployment.rows import open_rows
    from netwright.deployment.runtimes.protocol import Conditions
    from netwright.reporting.terminal import print_table

    bundle = read_bundle(exports)
    _check_rows(benchmark, bundle)
    section = _data_section(data, target)
    splits = {
        split: load_pictures(data, split, bundle.input, classes=bundle.classes, scratch=scratch, workers=workers)
        for split in ("val", "test")
    }
    conditions = Conditions(threads=benchmark.threads, device=device, batch=benchmark.batch)
    rows = open_rows(
        bundle,
        exports,
        networks={model: partial(load_network, folder) for model, folder in models.items()},
        runtimes=benchmark.runtimes,
        conditions=conditions,
        engines=engines,
    )
    _measure(rows, splits, benchmark, nms, conditions=conditions, scratch=scratch)
    histories = _histories(models)
    report = _report(rows, bundle, benchmark, splits, histories, data=data, machine=machine)
    write_raw(target / "raw", rows, splits)
    gallery = benchmark.gallery_images
    _write_page(target / "index.html", report, rows, splits["test"], histories, gallery, data=data, section=section)
    write_report(target, report)
    print_table(report)
    return report


def _check_rows(benchmark: Benchmark, bundle: "Bundle") -> None:
    """Raise UserError, before any work, for a headline row that no export and runtime will make."""
    from netwright.deployment.rows import planned_rows

    if len(set(benchmark.runtimes)) < len(benchmark.runtimes):
        raise UserError(f"benchmark.runtimes is {benchmark.runtimes}: name each runtime once")
    planned = [f"{entry.name}@{runtime}" for entry, runtime in planned_rows(bundle, benchmark.runtimes)]
    for key, name in (("deployed", benchmark.deployed), ("baseline", benchmark.baseline)):
        if name not in planned:
            raise UserError(f"benchmark.{key} is {name!r}: it must be one of {', '.join(planned)}")


def _measure(
    rows: "Sequence[Row]",
    splits: "Mapping[str, PictureSet]",
    benchmark: Benchmark,
    nms: NmsPolicy,
    *,
    conditions: Any,
    scratch: Path,
) -> None:
    from netwright.deployment.row_parity import compare_rows, first_pictures
    from netwright.deployment.rows import score_rows, time_rows
    from netwright.deployment.timing_lock import Neighbours, timing_alone
    from netwright.deployment.tolerance import exact_tolerance

    for reason in dict.fromkeys(f"{row.runtime_name} {row.status}: {row.reason}" for row in rows if row.status != "ok"):
        print(f"benchmark: {reason}", flush=True)
    print(f"benchmark: scoring {sum(len(pictures) for pictures in splits.values())} pictures on each row", flush=True)
    score_rows(rows, splits, nms, batch=benchmark.batch)
    exact = exact_tolerance(benchmark.parity_atol, benchmark.parity_rtol)
    compare_rows(rows, first_pictures(splits["val"], benchmark.parity_images), exact=exact, conditions=conditions)
    print(f"benchmark: timing in turns, {benchmark.threads} threads, batch {benchmark.batch}", flush=True)
    with timing_alone(scratch / "timing.lock"):
        neighbours = Neighbours().start()
        time_rows(rows, splits["val"], batch=benchmark.batch, warmup=benchmark.warmup, rounds=benchmark.rounds)
        disturbed = neighbours.disturbed()
    for row in rows:
        row.disturbed = disturbed


def _report(
    rows: "Sequence[Row]",
    bundle: "Bundle",
    benchmark: Benchmark,
    splits: "Mapping[str, PictureSet]",
    histories: "Mapping[str, History]",
    *,
    data: Path,
    machine: Path,
) -> dict[str, Any]:
    from importlib.metadata import version

    from netwright.artifacts.dataset import read_manifest
    from netwright.deployment.row_report import row_report, speed_ratio
    from netwright.reporting.curves import epochs_in_all

    by_name = {row.name: row for row in rows}
    size = bundle.input.height, bundle.input.width
    pruning = {
        runtime: speed_ratio(by_name, f"trained_fp32@{runtime}", f"pruned_fp32@{runtime}")
        for runtime in benchmark.runtimes
    }
    counts = {split: len(pictures) for split, pictures in splits.items()}
    return {
        "version": 1,
        "dataset": {"name": read_manifest(data).name, "classes": len(bundle.classes), **counts},
        "machine": json.loads(machine.read_text("utf-8")) if machine.is_file() else {},
        "tools": bundle.tools | {name: version(name) for name in TOOLS},
        "epochs": epochs_in_all(histories),
        "deployed": benchmark.deployed,
        "baseline": benchmark.baseline,
        "comparison": speed_ratio(by_name, benchmark.baseline, benchmark.deployed),
        "pruning": {runtime: ratio for runtime, ratio in pruning.items() if ratio},
        "rows": [row_report(row, input_size=size, batch=benchmark.batch) for row in rows],
    }


def _histories(models: Mapping[str, Path]) -> "dict[str, History]":
    """The epochs of each model that has a history.csv, in the order the models were made."""
    from netwright.reporting.curves import read_history

    files = {name: folder / "history.csv" for name, folder in models.items()}
    return {name: read_history(file) for name, file in files.items() if file.is_file()}


def _write_page(
    path: Path,
    report: Mapping[str, Any],
    rows: "Sequence[Row]",
    test: "PictureSet",
    histories: "Mapping[str, History]",
    pictures: int,
    *,
    data: Path,
    section: "DataSection | None",
) -> None:
    from netwright.reporting.benchmark_page import write_benchmark_page
    from netwright.reporting.gallery import gallery_of

    deployed = next((row.found.get("test") for row in rows if row.name == report["deployed"]), None)
    found = dict(zip(test.names, deployed, strict=True)) if deployed else {}
    write_benchmark_page(
        path,
        report=report,
        histories=histories,
        gallery=gallery_of(data, "test", found, pictures if found else 0),
        classes=test.classes,
        data=section,
    )


def _data_section(data: Path, target: Path) -> "DataSection | None":
    """What the report of the converted dataset says, with a link from ``target`` to its page."""
    from netwright.artifacts.dataset_report import DATASET_PAGE, DATASET_REPORT, read_dataset_report
    from netwright.reporting.data_section import describe_data

    if not (data / DATASET_REPORT).is_file():
        return None
    link = Path(os.path.relpath(data / DATASET_PAGE, target)).as_posix()
    return describe_data(read_dataset_report(data), link if (data / DATASET_PAGE).is_file() else "")


@stage("benchmark")
def main(settings: Settings, host: Host) -> None:
    """Hydra entrypoint."""
    run(
        settings.benchmark,
        settings.nms,
        data=paths.CONVERTED,
        exports=paths.EXPORTS,
        models={"trained": paths.TRAINED, "pruned": paths.PRUNED, "quantized": paths.QUANTIZED},
        machine=paths.MACHINE,
        target=paths.REPORTS,
        engines=Path("engines"),
        scratch=host.scratch,
        device=host.device,
        workers=host.workers,
    )
    leave_certificate(settings, Path())


if __name__ == "__main__":
    main()
