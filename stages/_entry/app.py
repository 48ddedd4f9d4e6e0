"""The door of every stage: a Hydra app over params.yaml that hands typed settings to a plain function."""

import contextlib
import io
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from netwright.errors import UserError
from stages._entry.failures import INTERRUPTED, guarded
from stages._entry.outputs import check_outputs
from stages._entry.overrides import check_overrides
from stages._entry.snapshot import typed
from stages.settings import Settings

if TYPE_CHECKING:
    from omegaconf import DictConfig

LEDGER = "ledger.jsonl"
_CONF = Path(__file__).resolve().parents[2] / "conf"


@dataclass(frozen=True, kw_only=True)
class Host:
    """Facts of this machine (``runtime`` in conf/entry.yaml): they are recorded, not tracked.

    ``requested_device`` is auto, cpu or cuda; ``workers`` loader processes; ``processes`` that train together;
    ``tracking_uri`` empty for the project's own store; ``scratch`` an absolute folder for what may be lost.
    """

    requested_device: str
    workers: int
    processes: int
    tracking_uri: str
    scratch: Path

    @property
    def device(self) -> str:
        """Return cpu or cuda: "auto" is cuda where there is one. Raises UserError where cuda is asked for in vain."""
        if self.requested_device == "cpu":
            return "cpu"
        import torch

        if torch.cuda.is_available():
            return "cuda"
        if self.requested_device == "cuda":
            raise UserError("runtime.device is cuda, and torch sees no CUDA device here: set NETWRIGHT_DEVICE=cpu")
        return "cpu"


class DeclaredSettings(Settings):
    """Settings that hold only the sections which the stage declares in dvc.yaml."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"settings.{name} is not handed over: declare it under this stage's params in dvc.yaml")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job of a multirun that ended well: what was asked, and the folder that holds its outs."""

    overrides: tuple[str, ...]
    folder: Path


Body = Callable[[Settings, Host], None]
Review = Callable[[Sequence[Job]], None]


def stage(name: str, review: Review | None = None) -> Callable[[Body], Callable[[], None]]:
    """Make a stage's ``main(settings, host)`` a command: ``name`` is the stage's name in dvc.yaml.

    The command reads params.yaml, validates it whole, hands over the declared sections and exits with status 0,
    1 (bad input, one line on stderr) or 130 (Ctrl-C). After a multirun (-m), ``review`` is given its jobs.
    """

    def decorate(body: Body) -> Callable[[], None]:
        def main() -> None:
            status = run_stage(name, body, sys.argv[1:], review)
            if status == INTERRUPTED:  # worker threads of native libraries must not hold the terminal
                sys.stdout.flush()
                os._exit(status)
            sys.exit(status)

        return main

    return decorate


def run_stage(name: str, body: Body, arguments: Sequence[str], review: Review | None = None) -> int:
    """Run ``body`` as stage ``name`` with Hydra's ``arguments``; return the exit status."""
    statuses: list[int] = [0]
    jobs: list[Job] = []
    project = Path.cwd()

    def app() -> None:
        sections = declared_sections(project)
        check_overrides(name, _overrides_of(arguments), sections)

        def task(config: "DictConfig") -> None:
            statuses.append(guarded(name, lambda: _run_body(name, body, config, project, sections[name])))
            if Path.cwd() != project and statuses[-1] == 0:
                jobs.append(Job(overrides=_asked_of_job(), folder=Path.cwd()))

        _hydra(name, task, arguments)
        if review and jobs:
            statuses.append(guarded(name, lambda: review(jobs)))

    return max(guarded(name, app), *statuses)


def _asked_of_job() -> tuple[str, ...]:
    from hydra.core.hydra_config import HydraConfig

    return tuple(HydraConfig.get().overrides.task)


def declared_sections(project: Path) -> dict[str, list[str]]:
    """Return for each stage of ``project``/dvc.yaml the sections of params.yaml that it declares."""
    return {
        name: [entry for entry in block.get("params", []) if isinstance(entry, str)]
        for name, block in _dvc_stages(project).items()
    }


def validated(snapshot: Mapping[str, Any]) -> Settings:
    """Return the whole snapshot as Settings. Raises UserError for the first unknown, missing or mistyped key."""
    settings: Settings = typed(dict(snapshot), Settings)
    return settings


def declared_only(settings: Settings, sections: Sequence[str]) -> Settings:
    """Return ``settings`` with every section but ``sections`` masked: reading a masked one is an error."""
    masked = object.__new__(DeclaredSettings)
    for field in fields(Settings):
        if field.name in sections:
            object.__setattr__(masked, field.name, getattr(settings, field.name))
    return masked


def _dvc_stages(project: Path) -> dict[str, dict[str, Any]]:
    import yaml

    texts = {}
    for name in ("dvc.yaml", "params.yaml"):
        if not (project / name).is_file():
            raise UserError(f"no {name} in {project}: run stages from the project's root (params.yaml: make compose)")
        try:
            texts[name] = (project / name).read_text("utf-8")
        except UnicodeDecodeError as error:
            raise UserError(f"{name} is no UTF-8 text (byte {error.start}): save it as UTF-8") from None
    stages: dict[str, dict[str, Any]] = yaml.safe_load(texts["dvc.yaml"])["stages"]
    return stages


def _overrides_of(arguments: Sequence[str]) -> list[str]:
    from hydra._internal.utils import get_args_parser

    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            overrides: list[str] = get_args_parser().parse_args(list(arguments)).overrides
    except SystemExit:
        reason = said.getvalue().strip().rpartition("error: ")[2]
        raise UserError(f"{reason} (see --help)") from None
    return overrides


def _hydra(name: str, task: "Callable[[DictConfig], None]", arguments: Sequence[str]) -> None:
    import hydra

    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises instead of printing; `guarded` finds the line to show
    sys.argv = [f"python -m stages.{name.replace('-', '_')}", *arguments]
    try:
        hydra.main(version_base="1.3", config_path=str(_CONF), config_name="entry")(task)()
    except SystemExit as leaving:  # --help and its kind
        if leaving.code not in (0, None):
            raise UserError(f"Hydra refused: {' '.join(arguments)}") from None


def _run_body(name: str, body: Body, config: "DictConfig", project: Path, sections: Sequence[str]) -> None:
    from omegaconf import OmegaConf

    snapshot: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    host = _host(snapshot.pop("runtime"), project)
    settings = validated(snapshot)
    if Path.cwd() != project:
        _link_inputs(name, project, Path.cwd(), settings)
    check_outputs(_dvc_stages(project)[name], Path.cwd())
    if int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0"))) > 0:  # one of several that train together
        with contextlib.redirect_stdout(io.StringIO()):
            body(declared_only(settings, sections), host)
        return
    _note_start(name, host)
    print(f"{name}: started", flush=True)
    begun = time.monotonic()
    body(declared_only(settings, sections), host)
    print(f"{name}: done in {time.monotonic() - begun:.1f} s", flush=True)


def _host(runtime: Mapping[str, Any], project: Path) -> Host:
    device, workers, processes = runtime["device"], runtime["workers"], runtime["processes"]
    if device not in ("auto", "cpu", "cuda"):
        raise UserError(f"runtime.device (NETWRIGHT_DEVICE) must be auto, cpu or cuda, found {device!r}")
    if type(workers) is not int or workers < 0:
        raise UserError(f"runtime.workers (NETWRIGHT_WORKERS) must be a whole number, found {workers!r}")
    if type(processes) is not int or processes < 1:
        raise UserError(f"runtime.processes (NETWRIGHT_PROCESSES) must be a whole number from 1, found {processes!r}")
    return Host(
        requested_device=device,
        workers=workers,
        processes=processes,
        tracking_uri=str(runtime["tracking_uri"] or ""),
        scratch=project / str(runtime["scratch"]),
    )


def _link_inputs(name: str, project: Path, folder: Path, settings: Settings) -> None:
    """Make a multirun job's folder look like the project to read from, while what is written stays inside it."""
    block = _dvc_stages(project)[name]
    files = [key for entry in block.get("params", []) if isinstance(entry, dict) for key in entry]
    for dep in [*block.get("deps", []), *files]:
        path = dep.replace("${dataset.source}", settings.dataset.source)
        if (project / path).exists() and not (folder / path).exists():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).symlink_to(project / path)


def _note_start(name: str, host: Host) -> None:
    """Append to the ledger: the only proof that a stage ran, since DVC also reports restored stages."""
    host.scratch.mkdir(parents=True, exist_ok=True)
    row = {"stage": name, "started": time.time(), "pid": os.getpid(), "folder": str(Path.cwd())}
    with (host.scratch / LEDGER).open("a", encoding="utf-8") as ledger:
        ledger.write(json.dumps(row) + "\n")
