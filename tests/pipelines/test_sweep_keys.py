"""Trials share a stage where its code, its values and all that is above it are equal."""

from typing import Any

from pipelines.sweep.stage_keys import stage_keys

UPSTREAM = {"prune": ["train", "convert"], "convert": [], "train": ["convert"], "qat": ["prune"]}
SECTIONS = {"convert": ["dataset"], "train": ["train"], "prune": ["prune", "train"], "qat": ["qat"]}


def keys(tree: str = "t", **changed: Any) -> dict[str, str]:
    values = {"dataset": 1, "train": 2, "prune": 3, "qat": 4, "champion": 5} | changed
    return stage_keys(UPSTREAM, SECTIONS, values, tree)


def differing(**changed: Any) -> list[str]:
    return [name for name, key in keys().items() if keys(**changed)[name] != key]


def test_a_value_changes_the_stages_that_read_it_and_all_below() -> None:
    assert differing(prune=30) == ["prune", "qat"]
    assert differing(qat=40) == ["qat"]
    assert differing(train=20) == ["train", "prune", "qat"]
    assert differing(dataset=10) == ["convert", "train", "prune", "qat"]
    assert differing(champion=50) == []


def test_other_code_shares_nothing_and_no_two_stages_have_one_key() -> None:
    assert differing(tree="u") == list(keys())
    assert len(set(keys().values())) == 4
    assert list(keys()) == ["convert", "train", "prune", "qat"]
