"""What compression costs: train -> prune -> qat beside the unpruned network trained for as many epochs in all.

    python -m benchmarks.equal_epochs [--seeds 1 2 3] [--device cuda] [--out FILE]
    python -m benchmarks.equal_epochs --pipeline      # the deployed row of reports/ is the compressed side

Both sides read params.yaml, data/converted and models/init, and run the same library functions as the stages, so
a host with torch, timm and modelopt is enough. Accuracy is COCO mAP on the test split, in torch; the quantized side
is fake-quantized. Prints a line for each seed and, last, the mean difference in points (1 point = 0.01).
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.before_measuring import check_device, check_out
from benchmarks.changed_params import changed_settings, read_params
from benchmarks.deployed_row import deployed_of, epochs_of_chain
from benchmarks.whole_number import at_least
from netwright.artifacts.whole_file import write_json
from netwright.compression.calibration import calibrate
from netwright.compression.fake_quant import QuantizedDetector
from netwright.compression.folding import fold_batch_norms
from netwright.compression.pruning import PrunePolicy, prune_network
from netwright.compression.quantized import load_network
from netwright.data.feeding.pictures import PictureSet, load_pictures
from netwright.evaluation.coco import Accuracy
from netwright.evaluation.detect import score_network
from netwright.models.detector import Detector
from netwright.training.loop import fit
from netwright.training.recipe import Recipe
from stages import paths
from stages._entry.failures import guarded
from stages._training.epochs import recipe_of
from stages.settings import Recovery, Settings

Row = dict[str, Any]


class Comparison:
    """One seed after the other on the same data, with the values of a params.yaml."""

    def __init__(self, settings: Settings, project: Path, device: str) -> None:
        self.settings = settings
        self.device, self.init = device, project / paths.INIT
        spec = load_network(self.init).architecture.input
        self.pictures: dict[str, PictureSet] = {
            split: load_pictures(project / paths.CONVERTED, split, spec, scratch=project / ".netwright")
            for split in ("train", "val", "test")
        }

    def score(self, network: nn.Module, split: str) -> Accuracy:
        """COCO accuracy of ``network`` on ``split``."""
        return score_network(network, self.pictures[split], self.settings.nms, batch_size=16, device=self.device)

    def train(self, network: Detector, recipe: Recipe, start: Accuracy | None = None) -> None:
        """Fit ``network`` in place, keeping the best on val."""
        fit(
            network,
            self.pictures["train"],
            recipe=recipe,
            device=self.device,
            score=lambda candidate: self.score(candidate, "val"),
            on_epoch=lambda line: print(
                f"  epoch {line.epoch} of {recipe.epochs}  loss {line.loss:.3f}  {line.seconds:.1f} s", flush=True
            ),
            start=start,
        )

    def recipe(self, seed: int, recovery: Recovery | None = None) -> Recipe:
        """The train section as a recipe; for fine-tuning with the epochs and learning rate of ``recovery``."""
        return replace(recipe_of(self.settings.train, recovery), seed=seed)

    def compressed(self, seed: int) -> dict[str, Accuracy]:
        """Test accuracy after each stage of the chain."""
        prune, qat = self.settings.prune, self.settings.qat
        network = load_network(self.init)
        self.train(network, self.recipe(seed))
        found = {"trained": self.score(network, "test")}
        values = {field.name: getattr(prune, field.name) for field in fields(PrunePolicy)}
        network, report = prune_network(network.cpu(), PrunePolicy(**values | {"exclude": tuple(prune.exclude)}))
        print(f"seed {seed}: {report.after.macs / report.before.macs:.1%} of the multiply-accumulates kept", flush=True)
        self.train(network, self.recipe(seed, prune.recover), self.score(network, "val"))
        found["pruned"] = self.score(network, "test")
        quantized = self.quantized(network)
        tuning = self.recipe(seed, Recovery(epochs=qat.epochs, learning_rate=qat.learning_rate))
        self.train(quantized, tuning, self.score(quantized, "val"))
        return found | {"quantized": self.score(quantized, "test")}

    def quantized(self, network: Detector) -> QuantizedDetector:
        """``network`` folded and calibrated as the qat stage does."""
        qat = self.settings.qat
        quantized = QuantizedDetector(fold_batch_norms(network.cpu())).to(self.device)
        pixels = torch.tensor(self.pictures["train"].pixels[: qat.calibration_images])
        batches = pixels.split(self.settings.train.batch_size)
        calibrate(quantized, (part.float() for part in batches), qat.calibration)
        return quantized

    def unpruned(self, seed: int) -> Accuracy:
        """Test accuracy of the whole network after the chain's total number of epochs."""
        network = load_network(self.init)
        self.train(network, replace(self.recipe(seed), epochs=epochs_of_chain(self.settings)))
        return self.score(network, "test")


def rows_of(given: argparse.Namespace) -> Iterator[Row]:
    """Check everything, then both sides of one seed after the other."""
    settings = changed_settings(read_params(given.project), {})
    deployed = deployed_of(given.project, settings) if given.pipeline else None
    check_device(given.device)
    check_out(given.out)
    comparison = Comparison(settings, given.project, given.device)
    if deployed is not None:
        seed = settings.train.seed
        yield {"seed": seed, "quantized": deployed, "unpruned": comparison.unpruned(seed).map50_95}
        return
    for seed in given.seeds or [1]:
        chain = {name: accuracy.map50_95 for name, accuracy in comparison.compressed(seed).items()}
        yield {"seed": seed} | chain | {"unpruned": comparison.unpruned(seed).map50_95}
        print(f"seed {seed} is done", flush=True)


def run(given: argparse.Namespace) -> None:
    """Keep each seed's row as it comes; print all and the mean difference."""
    rows: list[Row] = []
    for row in rows_of(given):
        rows.append(row)
        if given.out:
            write_json(given.out, rows)
    lost = [100 * (row["unpruned"] - row["quantized"]) for row in rows]
    for row in rows:
        print("  ".join(f"{name} {value:.4g}" for name, value in row.items()))
    print(f"points of mAP50-95 lost: mean {sum(lost) / len(lost):.2f} ({', '.join(f'{value:.2f}' for value in lost)})")


def main() -> None:
    """Run every seed and print the mean difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--project", type=Path, default=Path())
    parser.add_argument("--seeds", type=at_least(0), nargs="+", help="default: 1")
    parser.add_argument("--pipeline", action="store_true")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.pipeline and given.seeds:
        parser.error("--pipeline compares with reports/, which is of params.yaml's seed: leave out --seeds")
    sys.exit(guarded("equal_epochs", lambda: run(given)))


if __name__ == "__main__":
    main()
