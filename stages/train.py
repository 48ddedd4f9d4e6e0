"""train: data/converted and models/init to models/trained, with its metrics and curves."""

from pathlib import Path

from netwright.types import NmsPolicy
from stages import paths
from stages._entry import Host, stage
from stages.settings import Settings, Train


def run(
    train: Train,
    nms: NmsPolicy,
    *,
    data: Path,
    source: Path,
    target: Path,
    device: str,
    scratch: Path,
    workers: int = 0,
) -> None:
    """Train the network of ``source`` on ``data``'s train split and write the best on val to ``target``."""
    from netwright.artifacts.model import load_model_files, save_model_files
    from netwright.data.feeding.pictures import load_pictures
    from netwright.evaluation.detect import score_network
    from netwright.models.build import build_network
    from netwright.models.cost import macs_of, parameters_of
    from netwright.training.loop import fit
    from stages._training.epochs import EpochReporter, recipe_of, write_history, write_metrics
    from stages._training.resume import resumable

    architecture, tensors = load_model_files(source)
    network = build_network(architecture)
    network.load_state_dict(tensors)
    pictures = load_pictures(data, "train", architecture.input, scratch=scratch, workers=workers)
    val = load_pictures(data, "val", architecture.input, scratch=scratch, workers=workers)
    print(
        f"train: {len(pictures)} pictures, {len(val)} for validation, {architecture.backbone} on {device}", flush=True
    )
    reporter = EpochReporter("train", train.epochs, scratch)
    with resumable(
        "train", settings=(train, nms), data=data, source=source, device=device, scratch=scratch
    ) as checkpoints:
        result = fit(
            network,
            pictures,
            recipe=recipe_of(train),
            device=device,
            score=lambda candidate: score_network(candidate, val, nms, batch_size=train.batch_size, device=device),
            on_epoch=reporter,
            checkpoints=checkpoints,
            on_resume=reporter.resumed,
        )
        accuracy = score_network(network, val, nms, batch_size=train.batch_size, device=device)
        save_model_files(target, architecture, network.state_dict())
        write_history(target / "history.csv", result.history)
        write_metrics(
            target / "metrics.json",
            epochs=len(result.history),
            best_epoch=result.best_epoch,
            parameters=parameters_of(network),
            macs=macs_of(network),
            val=accuracy,
        )


@stage("train")
def main(settings: Settings, host: Host) -> None:
    """Hydra entrypoint."""
    run(
        settings.train,
        settings.nms,
        data=paths.CONVERTED,
        source=paths.INIT,
        target=paths.TRAINED,
        device=host.device,
        scratch=host.scratch,
        workers=host.workers,
    )


if __name__ == "__main__":
    main()
