"""DVC inside a slot: the shared cache, and one stage at a time, once for all trials that share it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from netwright.artifacts.whole_file import write_text
from pipelines.sweep.stage_order import Step, ordered_steps
from stages._entry.app import declared_sections

if TYPE_CHECKING:
    from dvc.repo import Repo

# As root, a hard link let a write in place corrupt the shared cache.
_LINKS = "reflink,copy"


def open_workspace(slot: Path, project: Path) -> "Repo":
    """The DVC repository in ``slot``, on the cache and the local settings (remotes) of ``project``."""
    from dvc.config import Config, merge
    from dvc.repo import Repo

    shared = Config(dvc_dir=str(project / ".dvc"))["cache"].get("dir") or str(project / ".dvc/cache")
    local = Config(dvc_dir=str(project / ".dvc"), validate=False).load_one("local")
    merge(local, {"cache": {"dir": str(shared), "type": _LINKS}})
    with Config(dvc_dir=str(slot / ".dvc")).edit("local") as settings:
        merge(settings, local)
    _forget_persistence(slot)
    return Repo(str(slot))


def steps_of(repo: "Repo", slot: Path, values: Mapping[str, Any], tree: str) -> list[Step]:
    """The stages of ``slot``'s dvc.yaml in the order in which they can run."""
    graph = repo.index.graph
    upstream = {stage.addressing: [other.addressing for other in graph.successors(stage)] for stage in graph}
    return ordered_steps(upstream, declared_sections(slot), values, tree)


def _forget_persistence(slot: Path) -> None:
    """Take ``persist`` off every out: nothing persists in a slot, and DVC's run cache skips stages that have it."""
    path = slot / "dvc.yaml"
    dag = yaml.safe_load(path.read_text("utf-8"))
    for block in dag["stages"].values():
        for entry in block.get("outs", []):
            for flags in entry.values() if isinstance(entry, dict) else []:
                flags.pop("persist", None)
    write_text(path, yaml.safe_dump(dag, sort_keys=False))
