"""pretrain-init: build the network for the dataset's classes and start it from the catalog."""

from pathlib import Path
from typing import Literal

from netwright.errors import UserError
from netwright.types import Architecture, InputSpec
from stages import paths
from stages._entry import Host, stage
from stages.settings import Model, PretrainInit, Settings


def run(*, model: Model, pretrain_init: PretrainInit, data: Path, out: Path) -> None:
    """Write ``model.safetensors``, ``architecture.json`` and ``init.json`` into ``out`` for the classes of ``data``.

    Raises UserError for a missing manifest, and for a backbone or weights that are unknown or do not go together.
    """
    from dataclasses import asdict

    from netwright.artifacts.dataset import read_manifest
    from netwright.artifacts.model import save_model_files
    from netwright.artifacts.whole_file import write_json
    from netwright.models.build import build_network
    from netwright.models.catalog import find_weights
    from netwright.models.initialise import initialise

    classes = read_manifest(data).classes
    source = find_weights(pretrain_init.weights, model.backbone)
    architecture = describe(model, classes, source.mean, source.std)
    network = build_network(architecture)
    report = initialise(network, pretrain_init.weights, pretrain_init.seed)
    save_model_files(out, architecture, network.state_dict())
    write_json(out / "init.json", asdict(report))
    counts = ", ".join(f"{count} {status}" for status, count in report.counts.items())
    print(f"pretrain-init: {model.backbone} from {report.weights} ({report.licence}): {counts}")


def describe(
    model: Model, classes: tuple[str, ...], mean: tuple[float, float, float], std: tuple[float, float, float]
) -> Architecture:
    """The architecture that ``model`` asks for; ``mean`` and ``std`` are those of the weights it starts from."""
    resize: Literal["letterbox", "stretch"]
    match model.resize:
        case "letterbox" | "stretch":
            resize = model.resize
        case _:
            raise UserError(f"model.resize is {model.resize!r}: choose letterbox or stretch")
    return Architecture(
        builder="detector",
        backbone=model.backbone,
        levels=tuple(model.levels),
        neck_channels=model.neck_channels,
        box_convs=model.box_convs,
        classes=classes,
        input=InputSpec(height=model.height, width=model.width, resize=resize, mean=mean, std=std),
    )


@stage("pretrain-init")
def main(settings: Settings, _host: Host) -> None:
    """The stage."""
    run(model=settings.model, pretrain_init=settings.pretrain_init, data=paths.CONVERTED, out=paths.INIT)


if __name__ == "__main__":
    main()
