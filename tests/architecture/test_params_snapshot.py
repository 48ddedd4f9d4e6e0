"""What DVC tracks is what conf/ says."""

from pathlib import Path

import yaml

from pipelines.compose import composed

ROOT = Path(__file__).resolve().parents[2]


def test_committed_snapshot_equals_the_composition() -> None:
    committed = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    assert committed == composed(), "conf/ and params.yaml differ: run `python -m pipelines.compose` (make compose)"
