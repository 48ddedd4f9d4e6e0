"""What every training stage says while it runs and keeps when it ends: a line, a journal and the curves."""

import csv
import io
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from netwright.artifacts.whole_file import write_json, write_text
from netwright.evaluation.coco import Accuracy
from netwright.training.recipe import EpochMetrics, FitResult, Recipe
from stages.settings import Recovery, Train

JOURNALS = "journal"
_SYNC_EVERY = 1.0  # seconds: what the process has written a kill leaves, a sync is for the machine's own end


class EpochReporter:
    """Called with each epoch's metrics: prints one line and appends it to ``journal``, a JSONL file, at once.

    The journal is of one training, begins with a line about it, and is gone once the results are written: what is
    left of journals is what is known of trainings that were killed.
    """

    def __init__(self, stage: str, epochs: int, journal: Path) -> None:
        self.stage, self.epochs, self.journal = stage, epochs, journal
        self.journal.parent.mkdir(parents=True, exist_ok=True)
        self.journal.unlink(missing_ok=True)
        self._begun = self._synced = time.monotonic()
        self._own = 0  # epochs of this process
        self._stream = self.journal.open("a", encoding="utf-8")
        self._append({"stage": stage, "epochs": epochs, "started": time.time()})

    def finished(self) -> None:
        """The results are written: forget the journal."""
        self._stream.close()
        self.journal.unlink(missing_ok=True)

    def resumed(self, history: Sequence[EpochMetrics]) -> None:
        """Begin the journal with the epochs of an earlier process, and say where it goes on."""
        for metrics in history:
            self._note(metrics)
        print(f"{self.stage}: goes on after epoch {len(history)} of {self.epochs}", flush=True)

    def __call__(self, metrics: EpochMetrics) -> None:
        self._note(metrics)
        self._own += 1
        # by the clock, not by metrics.seconds: scoring and checkpoints take their time as well
        left = (time.monotonic() - self._begun) / self._own * (self.epochs - metrics.epoch)
        accuracy = ""
        if metrics.map50_95 is not None:
            accuracy = f"  val mAP50-95 {metrics.map50_95:.4f}  mAP50 {metrics.map50:.4f}"
        print(
            f"{self.stage}: epoch {metrics.epoch}/{self.epochs}  loss {metrics.loss:.4f}{accuracy}"
            f"  {metrics.seconds:.1f} s, about {left:.0f} s left",
            flush=True,
        )

    def _note(self, metrics: EpochMetrics) -> None:
        self._append(vars(metrics))

    def _append(self, row: Mapping[str, Any]) -> None:
        self._stream.write(json.dumps(row) + "\n")
        self._stream.flush()
        if time.monotonic() - self._synced >= _SYNC_EVERY:
            os.fsync(self._stream.fileno())
            self._synced = time.monotonic()


def recipe_of(train: Train, recovery: Recovery | None = None) -> Recipe:
    """The recipe of conf/train; for fine-tuning with the epochs and learning rate of ``recovery``."""
    return Recipe(
        epochs=recovery.epochs if recovery else train.epochs,
        batch_size=train.batch_size,
        learning_rate=recovery.learning_rate if recovery else train.learning_rate,
        weight_decay=train.weight_decay,
        warmup_epochs=train.warmup_epochs,
        ema_decay=train.ema_decay,
        clip_norm=train.clip_norm,
        box_weight=train.box_weight,
        iou_power=train.iou_power,
        precision=train.precision,
        threads=train.threads,
        seed=train.seed,
        patience=train.patience,
        validate_every=train.validate_every,
        decay_share=train.decay_share,
        plain_epochs=train.plain_epochs,
        freeze=tuple(train.freeze),
        freeze_norms=train.freeze_norms,
        class_weights=train.class_weights,
        auto_batch=train.auto_batch,
        compiled=tuple(train.compiled),
        augment=train.augment,
    )


def write_history(path: Path, history: Sequence[EpochMetrics]) -> None:
    """The curves as CSV, a row per epoch; a cell is empty where val was not scored."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, [field.name for field in fields(EpochMetrics)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(metrics) for metrics in history)
    write_text(path, stream.getvalue())


def write_metrics(path: Path, result: FitResult, *, parameters: int, macs: int, **accuracies: Accuracy) -> None:
    """The model's metrics file: how it was trained, its sizes, and each named accuracy (``val`` at least), 0..1."""
    training = {
        "epochs": len(result.history),
        "best_epoch": result.best_epoch,
        "precision": result.precision,
        "batch_size": result.batch_size,
    }
    sizes = {"parameters": parameters, "macs": macs}
    write_json(path, {name: asdict(accuracy) for name, accuracy in accuracies.items()} | training | sizes)
