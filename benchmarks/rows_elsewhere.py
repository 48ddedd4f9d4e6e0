"""The benchmark stage on a host without hydra, dvc and mlflow, such as one with a GPU.

    python -m benchmarks.rows_elsewhere --runtimes torch onnxruntime tensorrt_rtx --device cuda
        --deployed pruned_fp32@tensorrt_rtx --baseline trained_fp32@tensorrt_rtx [--project .] [--out DIR]

Takes params.yaml, data/converted, models/ and exports/ of a project, calls the stage's own function, writes the same
report below ``--out`` and prints its table. A row that did not run or failed is printed with its reason.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.before_measuring import check_device
from benchmarks.changed_params import changed_settings, read_params
from benchmarks.markdown_table import table
from stages import paths
from stages._entry.failures import guarded
from stages.benchmark import run
from stages.settings import Settings

MODELS = {"trained": paths.TRAINED, "pruned": paths.PRUNED, "quantized": paths.QUANTIZED}


def settings_of(given: argparse.Namespace) -> Settings:
    """params.yaml with the rows that are asked for."""
    asked = {f"benchmark.{name}": getattr(given, name) for name in ("runtimes", "deployed", "baseline")}
    return changed_settings(read_params(given.project), asked)


def measured(given: argparse.Namespace) -> dict[str, Any]:
    """The report of the rows. Raises UserError for what is missing, and for a row that will not be."""
    project, settings = given.project, settings_of(given)
    check_device(given.device)
    return run(
        settings.benchmark,
        settings.nms,
        data=project / paths.CONVERTED,
        exports=project / paths.EXPORTS,
        models={name: project / folder for name, folder in MODELS.items()},
        machine=project / paths.MACHINE,
        target=given.out,
        engines=given.out / "engines",
        scratch=given.out / "scratch",
        device=given.device,
    )


def show(report: dict[str, Any]) -> None:
    """Print the table, the ratios, and why a row is missing."""
    print(table(report))
    print(json.dumps({"pruning": report["pruning"], "comparison": report["comparison"]}))
    for row in report["rows"]:
        if row["status"] != "ok":
            print(f"{row['export']}@{row['runtime']} {row['status']}: {row['reason']}")


def main() -> None:
    """Measure the rows and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--project", type=Path, default=Path())
    parser.add_argument("--out", type=Path, default=Path("reports-elsewhere"))
    parser.add_argument("--runtimes", nargs="+", required=True)
    parser.add_argument("--device", choices=("cpu", "cuda"), required=True)
    parser.add_argument("--deployed", required=True, help="EXPORT@RUNTIME")
    parser.add_argument("--baseline", required=True, help="EXPORT@RUNTIME")
    given = parser.parse_args()
    sys.exit(guarded("rows_elsewhere", lambda: show(measured(given))))


if __name__ == "__main__":
    main()
