"""train: data/converted and models/init to models/trained, with its metrics and curves."""

from pathlib import Path

from netwright.types import NmsPolicy
from stages import paths
from stages._entry import Host, stage
from stages._training.tuned import Ground, Scorer, tuned
from stages.settings import Settings, Train


def run(train: Train, nms: NmsPolicy, *, ground: Ground, target: Path) -> None:
    """Train the network of ``ground`` on the train split and write the best on val to ``target``."""
    from netwright.artifacts.model import load_model_files, save_model_files
    from netwright.models.build import build_network, put_tensors
    from netwright.models.cost import macs_of, parameters_of
    from stages._training.epochs import recipe_of, write_history, write_metrics
    from stages._training.notices import notices

    architecture, tensors = load_model_files(ground.source)
    network = build_network(architecture)
    put_tensors(network, tensors, ground.source)
    pictures, val = (ground.pictures(split, architecture) for split in ("train", "val"))
    score = Scorer(pictures=val, nms=nms, batch_size=train.batch_size, device=ground.device)
    print(
        f"train: {len(pictures)} pictures, {len(val)} for validation, {architecture.backbone} on {ground.device}",
        flush=True,
    )
    for notice in notices(train, pictures, val, architecture.levels):
        print(f"train: {notice}", flush=True)
    with tuned(ground, network, pictures, recipe=recipe_of(train), settings=(train, nms), score=score) as result:
        accuracy = score(network)
        save_model_files(target, architecture, network.state_dict())
        write_history(target / "history.csv", result.history)
        write_metrics(
            target / "metrics.json",
            result,
            parameters=parameters_of(network),
            macs=macs_of(network),
            val=accuracy,
        )


@stage("train")
def main(settings: Settings, host: Host) -> None:
    """Hydra entrypoint."""
    ground = Ground(
        stage="train",
        data=paths.CONVERTED,
        source=paths.INIT,
        device=host.device,
        scratch=host.scratch,
        workers=host.workers,
        processes=host.processes,
    )
    run(settings.train, settings.nms, ground=ground, target=paths.TRAINED)


if __name__ == "__main__":
    main()
