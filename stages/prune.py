"""prune: data/converted and models/trained to models/pruned, a smaller network recovered by fine-tuning."""

from pathlib import Path

from netwright.types import NmsPolicy
from stages import paths
from stages._entry import Host, stage
from stages.settings import Prune, Settings, Train


def run(
    prune: Prune,
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
    """Remove channels of the network of ``source``, fine-tune on ``data`` and write the best on val to ``target``."""
    import torch

    from netwright.artifacts.whole_file import write_json
    from netwright.compression.pruning import PrunePolicy, prune_network
    from netwright.compression.quantized import load_network, save_network
    from netwright.compression.reports import pruning_as_dict
    from netwright.data.feeding.pictures import load_pictures
    from netwright.evaluation.detect import score_network
    from netwright.training.loop import fit
    from stages._training.epochs import EpochReporter, recipe_of, write_history, write_metrics
    from stages._training.resume import resumable

    torch.set_num_threads(train.threads)
    trained = load_network(source)
    policy = PrunePolicy(
        criterion=prune.criterion,
        threshold=prune.threshold,
        granularity=prune.granularity,
        min_filters=prune.min_filters,
        exclude=tuple(prune.exclude),
    )
    network, report = prune_network(trained, policy)
    print(
        f"prune: {report.after.macs / report.before.macs:.1%} of the multiply-accumulates and "
        f"{report.after.parameters / report.before.parameters:.1%} of the parameters are kept",
        flush=True,
    )
    pictures = load_pictures(data, "train", network.architecture.input, scratch=scratch, workers=workers)
    val = load_pictures(data, "val", network.architecture.input, scratch=scratch, workers=workers)
    before = score_network(network, val, nms, batch_size=train.batch_size, device=device)
    reporter = EpochReporter("prune", prune.recover.epochs, scratch)
    with resumable(
        "prune", settings=(prune, train, nms), data=data, source=source, device=device, scratch=scratch
    ) as checkpoints:
        result = fit(
            network,
            pictures,
            recipe=recipe_of(train, prune.recover),
            device=device,
            score=lambda candidate: score_network(candidate, val, nms, batch_size=train.batch_size, device=device),
            on_epoch=reporter,
            checkpoints=checkpoints,
            on_resume=reporter.resumed,
            start=before,
        )
        after = score_network(network, val, nms, batch_size=train.batch_size, device=device)
        print(f"prune: val mAP50-95 {before.map50_95:.4f} as cut, {after.map50_95:.4f} recovered", flush=True)
        save_network(target, network)
        write_json(target / "pruning.json", pruning_as_dict(report, policy))
        write_history(target / "history.csv", result.history)
        write_metrics(
            target / "metrics.json",
            epochs=len(result.history),
            best_epoch=result.best_epoch,
            parameters=report.after.parameters,
            macs=report.after.macs,
            val=after,
            val_before_recovery=before,
        )


@stage("prune")
def main(settings: Settings, host: Host) -> None:
    """Hydra entrypoint."""
    run(
        settings.prune,
        settings.train,
        settings.nms,
        data=paths.CONVERTED,
        source=paths.TRAINED,
        target=paths.PRUNED,
        device=host.device,
        scratch=host.scratch,
        workers=host.workers,
    )


if __name__ == "__main__":
    main()
