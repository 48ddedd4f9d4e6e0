"""DVC inside a slot: the shared cache, and one stage at a time, once for all trials that share it."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from netwright.artifacts.whole_file import write_text
from pipelines.sweep.stage_keys import stage_keys
from stages._entry.app import declared_sections

if TYPE_CHECKING:
    from dvc.repo import Repo

# As root, a hard link let a write in place corrupt the shared cache.
_LINKS = "reflink,copy"


def open_workspace(slot: Path, project: Path) -> "Repo":
    """The DVC repository in ``slot``, on the cache and the local settings (remotes) of ``project``."""
    from dvc.repo import Repo

    is_new = not (slot / ".dvc/config.local").is_file()
    if is_new:
        _share_settings(slot, project)
        _forget_persistence(slot)
    repo = Repo(str(slot))
    if is_new:
        repo.checkout(allow_missing=True)  # what dvc.lock names and the cache has: the cheapest way to restore
    return repo


def keys_of(repo: "Repo", slot: Path, values: Mapping[str, Any], tree: str) -> dict[str, str]:
    """For each stage of ``slot``'s dvc.yaml a key, equal in all trials that share the stage (see stage_keys)."""
    graph = repo.index.graph
    upstream = {stage.addressing: [other.addressing for other in graph.successors(stage)] for stage in graph}
    return stage_keys(upstream, declared_sections(slot), values, tree)


def reproduce(repo: "Repo", around: Callable[[str], AbstractContextManager[bool]]) -> None:
    """Bring every stage up to date, each inside ``around(its name)``, which yields whether it is wanted at all."""

    def one(stage: Any, **how: Any) -> Any:
        with around(stage.addressing) as wanted:
            changed = stage.reproduce(**how) if wanted else None
            if changed:
                stage.dump(update_pipeline=False)
            return changed

    repo.reproduce(repro_fn=one)


def _share_settings(slot: Path, project: Path) -> None:
    from dvc.config import Config, merge

    shared = Config(dvc_dir=str(project / ".dvc"))["cache"].get("dir") or str(project / ".dvc/cache")
    local = Config(dvc_dir=str(project / ".dvc"), validate=False).load_one("local")
    merge(local, {"cache": {"dir": str(shared), "type": _LINKS}})
    with Config(dvc_dir=str(slot / ".dvc")).edit("local") as settings:
        merge(settings, local)


def _forget_persistence(slot: Path) -> None:
    """Take ``persist`` off every out: nothing persists in a slot, and DVC's run cache skips stages that have it."""
    path = slot / "dvc.yaml"
    dag = yaml.safe_load(path.read_text("utf-8"))
    for block in dag["stages"].values():
        for entry in block.get("outs", []):
            for flags in entry.values() if isinstance(entry, dict) else []:
                flags.pop("persist", None)
    write_text(path, yaml.safe_dump(dag, sort_keys=False))
