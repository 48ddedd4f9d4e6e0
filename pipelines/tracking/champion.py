"""Which result is the champion: the rule of conf/champion, applied to trials. All that it looks at is of val."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.compare.front import eligible, pareto_front
from pipelines.tracking.trials import ACCURACY, LATENCY, SIZE, Trial
from stages.settings import Champion

_LOST = "points_lost/val"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """``chosen`` by the rule, None where every trial is refused; ``refused`` counts the reasons."""

    chosen: Trial | None
    candidates: int
    refused: Counter[str]

    @property
    def told(self) -> str:
        """The reasons in one line, most frequent first."""
        return ", ".join(f"{count} {reason}" for reason, count in self.refused.most_common())


def choose_champion(trials: Sequence[Trial], rule: Champion) -> Choice:
    """The best of ``trials`` inside the limits of ``rule``; of equal ones the more accurate, then the oldest."""
    reasons = {trial.run: refusal(trial, rule) for trial in trials}
    left = [trial for trial in trials if not reasons[trial.run]]
    if rule.prefer == "knee":
        front = pareto_front(left)
        chosen = next((trial for trial in left if trial.run == (front.knee or (*front.members, "")[0])), None)
    else:
        chosen = min(
            left, key=lambda trial: (_cost(trial, rule), -trial.metrics[ACCURACY], trial.started), default=None
        )
    return Choice(chosen=chosen, candidates=len(left), refused=Counter(filter(None, reasons.values())))


def refusal(trial: Trial, rule: Champion) -> str:
    """Why ``trial`` cannot be champion, "" where it can."""
    if reason := eligible(trial):
        return reason
    if trial.disturbed is None:
        return "of unknown timing (recorded by an older version)"
    if rule.require_parity and trial.parity not in ("passed", "reference"):
        return "without parity"
    if rule.max_latency_ms is not None and trial.metrics[LATENCY] > rule.max_latency_ms:
        return f"slower than {rule.max_latency_ms:g} ms"
    if rule.max_size_bytes is not None and trial.metrics[SIZE] > rule.max_size_bytes:
        return f"larger than {rule.max_size_bytes} bytes"
    if rule.max_points_lost is not None and not trial.metrics.get(_LOST, float("inf")) <= rule.max_points_lost:
        return f"losing more than {rule.max_points_lost:g} points"
    return ""


def _cost(trial: Trial, rule: Champion) -> float:
    return {"accuracy": -trial.metrics[ACCURACY], "latency": trial.metrics[LATENCY], "size": trial.metrics[SIZE]}[
        rule.prefer
    ]
