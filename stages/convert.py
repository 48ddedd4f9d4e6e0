"""Stage ``convert``: reads a raw dataset, or draws the embedded one; writes ``data/converted/``."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages import paths
from stages._entry import Host, stage
from stages.settings import Dataset, Settings

if TYPE_CHECKING:
    from netwright.data.conversion.convert import Converted, Progress, Recipe


def run(*, dataset: Dataset, output: Path, scratch: Path, workers: int = 0) -> dict[str, Any]:
    """Convert the dataset that ``dataset`` describes into ``output``; return the report.

    ``scratch`` keeps what is learnt of each picture, and what a zip or tar file given as the source unpacks to;
    ``workers`` processes examine them (0: one a processor).
    """
    from netwright.data.archives.archive import open_source
    from netwright.data.conversion.convert import convert_dataset
    from netwright.data.conversion.rare_collections import rare_collections
    from netwright.data.conversion.source import load_raw
    from netwright.data.feeding.worker_pool import worker_count

    source = Path(dataset.source)
    with _progress() as progress, rare_collections():
        unpacked = progress("unpack", source.stat().st_size) if source.is_file() else None
        folder = open_source(source, scratch, advance=unpacked or (lambda _: None))
        raw = load_raw(
            folder, dataset.format, scenes=_scenes(dataset), size=dataset.scenes.size, seed=dataset.scenes.seed
        )
        converted = convert_dataset(
            raw,
            output,
            _recipe(dataset, raw.classes, folder),
            source=source,
            scratch=scratch,
            workers=worker_count(workers),
            progress=progress,
        )
    _print_summary(converted)
    return converted.report


def _scenes(dataset: Dataset) -> dict[str, int]:
    return {"train": dataset.scenes.train, "val": dataset.scenes.val, "test": dataset.scenes.test}


def _recipe(dataset: Dataset, classes: tuple[str, ...], folder: Path) -> "Recipe":
    from netwright.data.checks.validate import ExaminePolicy
    from netwright.data.conversion.convert import Recipe
    from netwright.data.splitting.division import SplitPolicy

    split = dataset.split
    return Recipe(
        name=dataset.name,
        checks=ExaminePolicy(
            on_invalid=asdict(dataset.on_invalid),
            class_mapping=dataset.class_mapping,
            classes=classes,
            tiny_pixels=dataset.tiny_pixels,
            root=str(folder),
        ),
        split=SplitPolicy(group_by=split.group_by, shares=asdict(split.shares), seed=split.seed),
        leakage=dataset.leakage,
    )


@contextmanager
def _progress() -> "Iterator[Progress]":
    """A bar for each step, on stderr: whoever pipes stdout gets the summary alone."""
    from rich.console import Console
    from rich.progress import Progress

    bars = Progress(console=Console(stderr=True))

    def begin(step: str, total: int) -> Callable[[int], None]:
        bars.start()
        bar = bars.add_task(step, total=total)
        return lambda done: bars.advance(bar, done)

    try:
        yield begin
    finally:
        if bars.tasks:  # stopping what never began would print an empty line before an error's
            bars.stop()


def _print_summary(converted: "Converted") -> None:
    report, found = converted.report, converted.scan
    for note in (*report["notes"], f"splits: {report['split_origin']}"):
        print(note)
    print(f"{found.seen} pictures, {found.examined} of them new or changed since the last conversion")
    for split, counts in report["splits"].items():
        print(f"{split}: {counts['images']} pictures, {counts['boxes']} boxes")
    for rule, facts in report["rules"].items():
        if facts["count"]:
            print(f"{facts['count']} x {rule} ({facts['action']}): {facts['meaning']}")
    print(f"leakage: {converted.leak or 'no picture of one split was found in another'}")


@stage("convert")
def main(settings: Settings, host: Host) -> None:
    """Hydra entrypoint."""
    run(dataset=settings.dataset, output=paths.CONVERTED, scratch=host.scratch, workers=host.workers)


if __name__ == "__main__":
    main()
