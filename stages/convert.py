"""Stage ``convert``: reads a raw dataset, or draws the embedded one; writes ``data/converted/``."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages import paths
from stages._entry import Host, stage
from stages.settings import Dataset, Settings

if TYPE_CHECKING:
    from netwright.data.raw import RawPicture


def run(*, dataset: Dataset, output: Path) -> dict[str, Any]:
    """Convert the dataset that ``dataset`` describes into ``output``; return the report."""
    from netwright.data.convert import convert_dataset
    from netwright.data.source import load_raw

    scenes = {"train": dataset.scenes.train, "val": dataset.scenes.val, "test": dataset.scenes.test}
    raw = load_raw(
        Path(dataset.source), dataset.format, scenes=scenes, size=dataset.scenes.size, seed=dataset.scenes.seed
    )
    report = convert_dataset(
        raw, output, name=dataset.name, shards_per_split=dataset.shards_per_split, watch=_with_progress
    )
    _print_summary(report)
    return report


def _with_progress(pictures: "Iterable[RawPicture]", count: int) -> "Iterable[RawPicture]":
    from rich.console import Console
    from rich.progress import track

    return track(pictures, total=count, description="convert", console=Console(stderr=True))


def _print_summary(report: dict[str, Any]) -> None:
    for note in report["notes"]:
        print(note)
    for split, counts in report["splits"].items():
        print(f"{split}: {counts['images']} pictures, {counts['boxes']} boxes")
    for rule in report["rules"].values():
        if rule["count"]:
            print(f"{rule['count']} x {rule['meaning']}")


@stage("convert")
def main(settings: Settings, _host: Host) -> None:
    """Hydra entrypoint."""
    run(dataset=settings.dataset, output=paths.CONVERTED)


if __name__ == "__main__":
    main()
