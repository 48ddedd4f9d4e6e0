"""Accuracy on parts of the pictures: where a model is weak (hotcoco)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netwright.evaluation.evaluation import Evaluation
from netwright.evaluation.truth import Truth


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Accuracy, 0..1, on ``pictures`` of the pictures, with ``boxes`` in them; None where they hold no truth."""

    pictures: int
    boxes: int
    map50_95: float | None
    map50: float | None


def slice_accuracy(evaluation: Evaluation, slices: Mapping[str, Sequence[int]]) -> dict[str, Slice]:
    """Accuracy on each of ``slices``, which map names to picture indices. Slices may overlap or be empty.

    Means run over the classes with truth in the slice, so two slices may be means over different classes.
    """
    numbered = {str(place): [index + 1 for index in slices[name]] for place, name in enumerate(slices)}
    found = evaluation.coco.slice_by(numbered)
    return {
        name: Slice(
            pictures=len(indices),
            boxes=sum(len(evaluation.truth.labels[index]) for index in indices),
            map50_95=_known(found[str(place)]["AP"]),
            map50=_known(found[str(place)]["AP50"]),
        )
        for place, (name, indices) in enumerate(slices.items())
    }


def by_group(truth: Truth) -> dict[str, list[int]]:
    """Pictures by their group (a video, a patient), names sorted; those without a group are "no group"."""
    return _sorted_by([group or "no group" for group in truth.groups])


def by_crowding(truth: Truth) -> dict[str, list[int]]:
    """Pictures by how many boxes they hold: none, 1, 2 to 4, 5 to 9, 10 to 19, 20 and more."""
    steps = ((0, "no box"), (1, "1 box"), (4, "2 to 4 boxes"), (9, "5 to 9 boxes"), (19, "10 to 19 boxes"))
    names = [
        next((name for most, name in steps if len(labels) <= most), "20 boxes and more") for labels in truth.labels
    ]
    order = [*(name for _, name in steps), "20 boxes and more"]
    found = _sorted_by(names)
    return {name: found[name] for name in order if name in found}


def _sorted_by(names: Sequence[str]) -> dict[str, list[int]]:
    return {name: [index for index, own in enumerate(names) if own == name] for name in sorted(set(names))}


def _known(value: float) -> float | None:
    return float(value) if value > -1 else None
