"""The rows of a benchmark: every export on every runtime, opened, scored and timed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from torch import nn

from netwright.artifacts.bundle import Bundle, ExportEntry
from netwright.data.feeding.pictures import PictureSet
from netwright.deployment.latency import Samples, measure
from netwright.deployment.parity import Parity
from netwright.deployment.runtimes.available import open_runtime
from netwright.deployment.runtimes.protocol import (
    Conditions,
    Pixels,
    Runtime,
    RuntimeFacts,
    RuntimeMissingError,
    Source,
)
from netwright.errors import UserError
from netwright.evaluation.coco import Accuracy, coco_accuracy
from netwright.evaluation.detect import detect
from netwright.evaluation.detections import Detections
from netwright.types import NmsPolicy

SECONDS_PER_ROW = 2.0  # of timing: slow rows take part in fewer rounds
TORCH_BATCH = 8  # pictures at once when torch is scored; it makes no difference to what it finds


@dataclass(eq=False)
class Row:
    """One export on one runtime and what became of it. ``runtime`` is None where it did not open."""

    entry: ExportEntry
    runtime_name: str
    source: Source
    status: str = "ok"
    reason: str = ""
    runtime: Runtime | None = None
    facts: RuntimeFacts | None = None
    found: dict[str, list[Detections]] = field(default_factory=dict)
    accuracy: dict[str, Accuracy] = field(default_factory=dict)
    samples: Samples | None = None
    disturbed: bool = False
    parity: Parity | None = None

    @property
    def name(self) -> str:
        """``export@runtime``."""
        return f"{self.entry.name}@{self.runtime_name}"

    def attempt(self, step: str, work: Callable[[], None]) -> None:
        """Do ``work`` unless the row is out already; whatever a vendor's runtime raises makes the row failed."""
        if self.runtime is None:
            return
        try:
            work()
        except Exception as error:  # noqa: BLE001  # one broken runtime must not take the others' results along
            self.fail(f"{step}: {type(error).__name__}: {error}")

    def fail(self, reason: str) -> None:
        """Take the row out, with its reason on one line."""
        self.runtime, self.status, self.reason = None, "failed", " ".join(reason.split())[:300]


def planned_rows(bundle: Bundle, runtimes: Sequence[str]) -> list[tuple[ExportEntry, str]]:
    """Every export on every runtime; torch runs a model once, not once for each encoding."""
    return [
        (entry, name)
        for entry in bundle.exports
        for name in runtimes
        if name != "torch" or entry.encoding != "unsigned"
    ]


def open_rows(
    bundle: Bundle,
    folder: Path,
    *,
    networks: Mapping[str, Callable[[], nn.Module]],
    runtimes: Sequence[str],
    conditions: Conditions,
    engines: Path,
) -> list[Row]:
    """Every planned row of ``folder``, opened. ``networks`` loads the torch network of each model.

    Raises UserError for an unknown runtime name.
    """
    sources = {
        entry.name: Source(onnx=folder / entry.file, network=networks[entry.model], engines=engines)
        for entry in bundle.exports
    }
    planned = planned_rows(bundle, runtimes)
    return [_opened(Row(entry, name, sources[entry.name]), conditions) for entry, name in planned]


def score_rows(rows: Sequence[Row], splits: Mapping[str, PictureSet], policy: NmsPolicy, *, batch: int) -> None:
    """Detections and COCO accuracy of every split, through the runtime itself."""
    for row in rows:
        row.attempt("scoring", partial(_score, row, splits, policy, batch))


def time_rows(rows: Sequence[Row], pictures: PictureSet, *, batch: int, warmup: int, rounds: int) -> None:
    """Latency of one batch for every row that is still in, in turns. The caller holds the timing lock."""
    pixels = np.resize(pictures.pixels[:batch], (batch, *pictures.pixels.shape[1:])).astype(np.float32)
    calls = {row.name: _call(row.runtime, pixels) for row in rows if row.runtime is not None}
    samples = measure(calls, warmup=warmup, rounds=rounds, seconds_per_row=SECONDS_PER_ROW)
    for row in rows:
        row.samples = samples.get(row.name)


def _opened(row: Row, conditions: Conditions) -> Row:
    try:
        row.runtime = open_runtime(row.runtime_name, row.source, conditions)
        row.facts = row.runtime.describe()
    except RuntimeMissingError as missing:
        row.status, row.reason = "not_run", str(missing)
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001  # as in attempt
        row.fail(f"opening: {type(error).__name__}: {error}")
    return row


def _score(row: Row, splits: Mapping[str, PictureSet], policy: NmsPolicy, batch: int) -> None:
    if row.runtime is None:
        return
    size = TORCH_BATCH if row.runtime_name == "torch" else batch
    for split, pictures in splits.items():
        row.found[split] = detect(row.runtime.run, pictures, policy, batch_size=size)
        row.accuracy[split] = coco_accuracy(pictures, row.found[split])


def _call(runtime: Runtime, pixels: Pixels) -> Callable[[], object]:
    return lambda: runtime.run(pixels)
