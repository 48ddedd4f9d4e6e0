"""What was varied between trials: parameters that differ, those that always move together taken as one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.tracking.sweeps import LABEL, TRIAL
from pipelines.tracking.trials import Trial


@dataclass(frozen=True, kw_only=True)
class Factor:
    """``names`` of parameters that split the trials alike; ``values`` of the first of them, an entry per trial."""

    names: tuple[str, ...]
    values: tuple[str, ...]

    @property
    def name(self) -> str:
        """The first name, and how many others move with it."""
        return self.names[0] + (f" (+{len(self.names) - 1})" if len(self.names) > 1 else "")

    @property
    def numbers(self) -> tuple[float, ...] | None:
        """The values as numbers; None where one is none."""
        try:
            return tuple(float(value) for value in self.values)
        except ValueError:
            return None


def varied(trials: Sequence[Trial]) -> list[Factor]:
    """The factors of ``trials``, those with overrides in a sweep first, then by name. A lacking value is ""."""
    asked = {part.partition("=")[0] for trial in trials for part in trial.tags.get(TRIAL, "").split(",") if part}
    names = sorted({name for trial in trials for name in trial.params}, key=lambda name: (name not in asked, name))
    groups: dict[tuple[int, ...], tuple[list[str], tuple[str, ...]]] = {}
    for name in names:
        values = tuple(trial.params.get(name, "") for trial in trials)
        places: dict[str, int] = {}
        split = tuple(places.setdefault(value, len(places)) for value in values)
        if len(places) > 1:
            groups.setdefault(split, ([], values))[0].append(name)
    return [Factor(names=tuple(same), values=values) for same, values in groups.values()]


def labels(trials: Sequence[Trial], factors: Sequence[Factor]) -> Mapping[str, str]:
    """For each run what sets it apart: in its sweep, else the values of ``factors``, else its name.

    Runs of several sweeps may be called alike there: they have all their overrides.
    """
    said, names = {}, Counter(trial.tags.get(LABEL, "") for trial in trials)
    for index, trial in enumerate(trials):
        values = ", ".join(f"{factor.names[0]}={factor.values[index] or '(none)'}" for factor in factors)
        label, overrides = trial.tags.get(LABEL, ""), trial.tags.get(TRIAL, "").replace(",", ", ")
        said[trial.run] = (label if names[label] == 1 else "") or overrides or values or trial.name
    return said
