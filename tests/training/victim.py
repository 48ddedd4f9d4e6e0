"""A training to be killed: `python -m tests.training.victim FOLDER EPOCHS`; writes FOLDER/weights.safetensors."""

import sys
from dataclasses import replace
from pathlib import Path

from safetensors.torch import save_file

from netwright.evaluation.coco import Accuracy
from netwright.training.checkpoints import Checkpoints
from netwright.training.loop import fit
from tests.training.blocks import RECIPE, blocks, small_network


def main() -> None:
    """Train, printing a line for every epoch and one when it goes on."""
    folder, epochs = Path(sys.argv[1]), int(sys.argv[2])
    network = small_network()
    fit(
        network,
        blocks(8),
        recipe=replace(RECIPE, epochs=epochs, augment=replace(RECIPE.augment, scale=(0.8, 1.2), brightness=0.3)),
        device="cpu",
        score=lambda _: Accuracy(map50_95=0.5, map50=0.5, per_class={}, per_class50={}),
        on_epoch=lambda metrics: print(f"epoch {metrics.epoch}", flush=True),
        checkpoints=Checkpoints(folder / "checkpoints"),
        on_resume=lambda history: print(f"resumed {len(history)}", flush=True),
    )
    save_file(
        {name: tensor.contiguous() for name, tensor in network.state_dict().items()}, folder / "weights.safetensors"
    )


if __name__ == "__main__":
    main()
