"""The contract of a converted dataset's ``report.json``, checked against dataset_report.schema.json."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from netwright.errors import UserError

DATASET_REPORT, DATASET_PAGE = "report.json", "index.html"
SCHEMA = Path(__file__).with_name("dataset_report.schema.json")


def check_dataset_report(report: Mapping[str, Any]) -> None:
    """Raise ValueError, naming the place, where ``report`` breaks the schema."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    schema = json.loads(SCHEMA.read_text("utf-8"))
    error = best_match(Draft202012Validator(schema).iter_errors(report))
    if error is not None:
        raise ValueError(f"{error.json_path}: {error.message}")


def read_dataset_report(folder: Path) -> dict[str, Any]:
    """Read and check report.json. Raises UserError where it is missing or damaged."""
    path = folder / DATASET_REPORT
    try:
        report: dict[str, Any] = json.loads(path.read_text("utf-8"))
        check_dataset_report(report)
    except FileNotFoundError:
        raise UserError(f"no {DATASET_REPORT} in {folder}: run the convert stage first (dvc repro convert)") from None
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}): delete {folder} and run dvc repro convert") from None
    return report
