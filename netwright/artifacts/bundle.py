"""The bundle contract: ``bundle.json`` beside the exported files says what each one is and how to feed it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from netwright.artifacts.whole_file import sha256_of, write_json
from netwright.errors import UserError
from netwright.types import InputSpec

BUNDLE = "bundle.json"


@dataclass(frozen=True, kw_only=True)
class ExportEntry:
    """One exported file.

    ``model`` is trained, pruned or quantized; ``precision`` fp32 or int8; ``encoding`` of activations is "none",
    "signed" (TensorRT) or "unsigned" (zero point 128, x86). Shapes name the dynamic dimension ``batch``.
    ``macs`` counts one picture.
    """

    name: str
    file: str
    sha256: str
    size_bytes: int
    model: str
    precision: str
    encoding: str
    opset: int
    inputs: dict[str, tuple[int | str, ...]]
    outputs: dict[str, tuple[int | str, ...]]
    params: int
    macs: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """The exports of one result, the input that all of them take, their classes, and the tools that made them."""

    input: InputSpec
    classes: tuple[str, ...]
    exports: tuple[ExportEntry, ...]
    tools: dict[str, str]


def write_bundle(folder: Path, bundle: Bundle) -> None:
    """Write ``bundle.json`` whole into ``folder``."""
    write_json(folder / BUNDLE, asdict(bundle))


def read_bundle(folder: Path) -> Bundle:
    """Read and check ``bundle.json``. Raises UserError where it, or a file that it names, is missing or changed."""
    try:
        bundle = _bundle(json.loads((folder / BUNDLE).read_text("utf-8")))
    except FileNotFoundError:
        raise UserError(f"no {BUNDLE} in {folder}: run the export stage first (dvc repro export)") from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder / BUNDLE} is damaged ({error}): delete {folder} and run dvc repro export") from None
    for entry in bundle.exports:
        path = folder / entry.file
        if not path.is_file() or sha256_of(path) != entry.sha256:
            state = "is not the file that bundle.json names" if path.is_file() else "is missing"
            raise UserError(f"{path} {state}: delete {folder} and run dvc repro export")
    return bundle


def _bundle(value: dict[str, Any]) -> Bundle:
    spec = dict(value["input"])
    spec["mean"], spec["std"] = tuple(spec["mean"]), tuple(spec["std"])
    exports = tuple(
        ExportEntry(
            **row | {"inputs": _shapes(row["inputs"]), "outputs": _shapes(row["outputs"]), "notes": tuple(row["notes"])}
        )
        for row in value["exports"]
    )
    return Bundle(input=InputSpec(**spec), classes=tuple(value["classes"]), exports=exports, tools=dict(value["tools"]))


def _shapes(value: dict[str, list[int | str]]) -> dict[str, tuple[int | str, ...]]:
    return {name: tuple(shape) for name, shape in value.items()}
