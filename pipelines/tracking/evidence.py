"""What a recorded run keeps of its deployed row, so that it can be compared elsewhere: facts and raw results."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netwright.artifacts.report import REPORT, row_name
from stages import paths

if TYPE_CHECKING:
    from mlflow import MlflowClient

RAW = Path("reports/raw")  # where it lies among a run's artifacts
DEPLOYED, TRUTH = "deployed.parquet", "truth"
_ALL_ROWS = "detections.parquet"


def row_tags(folder: Path) -> dict[str, str]:
    """Of the deployed row in ``folder``/reports: on what it ran, what it computed in, whether its timing was fair.

    Empty where the report does not name one.
    """
    row = _deployed_row(folder / paths.REPORTS / REPORT)
    runtime = f"{row.get('runtime')} {row.get('runtime_version', '')}".strip()
    told = {
        "row": row_name(row) if row else None,
        "runtime": runtime if row else None,
        "device": row.get("device"),
        "precision_used": row.get("precision_used"),
        "threads": row.get("threads"),
        "batch": row.get("batch"),
        "parity": (row.get("parity") or {}).get("status"),
        "disturbed": str(row["disturbed"]).lower() if "disturbed" in row else None,
    }
    return {f"deployed.{name}": str(value) for name, value in told.items() if value is not None}


def log_evidence(client: "MlflowClient", run: str, folder: Path) -> None:
    """Log the deployed row's file, its detections and the labels they are measured by, as far as ``folder`` has them.

    Other rows' detections stay with DVC: a run keeps what it is compared by, not ten times as much.
    """
    row, raw = _deployed_row(folder / paths.REPORTS / REPORT), folder / paths.REPORTS / "raw"
    model = folder / paths.EXPORTS / str(row.get("file", ""))
    if model.is_file():
        client.log_artifact(run, str(model), paths.EXPORTS.as_posix())
    if not row or not (raw / _ALL_ROWS).is_file():
        return
    with tempfile.TemporaryDirectory(prefix="netwright-") as name:
        _write_row(raw / _ALL_ROWS, Path(name) / DEPLOYED, row)
        if (raw / TRUTH).is_dir():
            shutil.copytree(raw / TRUTH, Path(name) / TRUTH)
        client.log_artifacts(run, name, RAW.as_posix())


def _deployed_row(report: Path) -> dict[str, Any]:
    if not report.is_file():
        return {}
    told: dict[str, Any] = json.loads(report.read_text("utf-8"))
    return next((row for row in told.get("rows", []) if row_name(row) == told.get("deployed")), {})


def _write_row(source: Path, target: Path, row: dict[str, Any]) -> None:
    import pyarrow.parquet as pq

    chosen = [("export", "=", row["export"]), ("runtime", "=", row["runtime"])]
    pq.write_table(pq.read_table(source, filters=chosen), target, compression="zstd")
