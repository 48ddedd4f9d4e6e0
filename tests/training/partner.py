"""One of the processes of test_team: trains on blocks and, where it leads, writes losses and weights to a file."""

import json
import sys
from dataclasses import replace
from pathlib import Path

from safetensors.torch import save_file

from netwright.training.loop import fit
from netwright.training.team import assemble
from tests.training.blocks import RECIPE, blocks, constant, small_network


def main(folder: Path, processes: int) -> None:
    team, network = assemble(processes, "cpu"), small_network()
    result = fit(
        network,
        blocks(10),
        recipe=replace(RECIPE, epochs=3, freeze_norms=True),
        device="cpu",
        score=lambda _: constant(0.5),
        on_epoch=lambda _: None,
        team=team,
    )
    if team.leads:
        (folder / "losses.json").write_text(json.dumps([[row.loss, row.loss_box] for row in result.history]))
        save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, folder / "weights")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
