"""Training with the largest batch that memory holds."""

import math
from dataclasses import replace
from typing import Any

from netwright.data.feeding.pictures import PictureSet
from netwright.models.detector import Detector
from netwright.training.checkpoints import Checkpoints
from netwright.training.loop import fit
from netwright.training.memory import TooLittleMemoryError
from netwright.training.recipe import FitResult, Recipe
from netwright.training.team import Team


def fit_in_memory(
    network: Detector,
    pictures: PictureSet,
    *,
    recipe: Recipe,
    checkpoints: Checkpoints | None,
    team: Team,
    **others: Any,
) -> FitResult:
    """``fit``; with ``recipe.auto_batch`` it begins anew with half the batch where memory does not hold a step.

    The learning rate then shrinks by the square root of the batches' ratio, the rule for AdamW. Raises
    TooLittleMemoryError where it is not to try, with several processes, and where a single picture is too much.
    """
    begin = {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}
    while True:
        try:
            return fit(network, pictures, recipe=recipe, checkpoints=checkpoints, team=team, **others)
        except TooLittleMemoryError:
            size = min(recipe.batch_size, len(pictures))
            if not recipe.auto_batch or size < 2 or team.size > 1:  # the others may have room, and wait
                raise
        rate = recipe.learning_rate * math.sqrt(size // 2 / size)
        recipe = replace(recipe, batch_size=size // 2, learning_rate=rate)
        print(f"train: memory does not hold a step: batches of {recipe.batch_size} from here on", flush=True)
        if checkpoints:
            checkpoints.clear()
        network.load_state_dict(begin)
