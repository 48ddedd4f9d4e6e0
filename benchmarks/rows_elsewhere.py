"""The benchmark stage on a host without hydra, dvc and mlflow, such as one with a GPU.

    python -m benchmarks.rows_elsewhere --runtimes torch onnxruntime tensorrt_rtx --device cuda
        --deployed pruned_fp32@tensorrt_rtx --baseline trained_fp32@tensorrt_rtx [--project .] [--out DIR]

Takes params.yaml, data/converted, models/ and exports/ of a project, calls the stage's own function, writes the same
report below ``--out`` and prints its table. A row that did not run or failed is printed with its reason.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import yaml

from benchmarks.markdown_table import table
from netwright.types import NmsPolicy
from stages._entry.snapshot import typed
from stages.benchmark import run
from stages.settings import Benchmark

MODELS = ("trained", "pruned", "quantized")


def main() -> None:
    """Measure the rows and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--project", type=Path, default=Path())
    parser.add_argument("--out", type=Path, default=Path("reports-elsewhere"))
    parser.add_argument("--runtimes", nargs="+", required=True)
    parser.add_argument("--device", choices=("cpu", "cuda"), required=True)
    parser.add_argument("--deployed", required=True, help="EXPORT@RUNTIME")
    parser.add_argument("--baseline", required=True, help="EXPORT@RUNTIME")
    arguments = parser.parse_args()
    project, params = arguments.project, yaml.safe_load((arguments.project / "params.yaml").read_text("utf-8"))
    settings: Benchmark = replace(
        typed(params["benchmark"], Benchmark, "benchmark"),
        runtimes=arguments.runtimes,
        deployed=arguments.deployed,
        baseline=arguments.baseline,
    )
    report = run(
        settings,
        typed(params["nms"], NmsPolicy, "nms"),
        data=project / "data/converted",
        exports=project / "exports",
        models={name: project / "models" / name for name in MODELS},
        machine=project / "machine.json",
        target=arguments.out,
        engines=arguments.out / "engines",
        scratch=arguments.out / "scratch",
        device=arguments.device,
    )
    print(table(report))
    print(json.dumps({"pruning": report["pruning"], "comparison": report["comparison"]}))
    for row in report["rows"]:
        if row["status"] != "ok":
            print(f"{row['export']}@{row['runtime']} {row['status']}: {row['reason']}")


if __name__ == "__main__":
    main()
