"""prune: data/converted and models/trained to models/pruned, a smaller network recovered by fine-tuning."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from netwright.types import NmsPolicy
from stages import paths
from stages._entry import Host, Job, stage
from stages._training.tuned import Ground, Scorer, tuned
from stages.settings import Prune, Settings, Train

if TYPE_CHECKING:
    from netwright.compression.pruning import PruningReport


def run(prune: Prune, train: Train, nms: NmsPolicy, *, ground: Ground, target: Path) -> None:
    """Remove channels of the network of ``ground``, fine-tune it there and write the best on val to ``target``."""
    import torch

    from netwright.artifacts.whole_file import write_json
    from netwright.compression.pruning import PrunePolicy, prune_network
    from netwright.compression.quantized import load_network, save_network
    from netwright.compression.reports import pruning_as_dict
    from stages._training.epochs import recipe_of, write_history, write_metrics

    torch.set_num_threads(train.threads)
    trained = load_network(ground.source)
    policy = PrunePolicy(
        criterion=prune.criterion,
        threshold=prune.threshold,
        granularity=prune.granularity,
        min_filters=prune.min_filters,
        exclude=tuple(prune.exclude),
    )
    network, report = prune_network(trained, policy)
    _say_what_stays(report)
    pictures, val = (ground.pictures(split, network.architecture) for split in ("train", "val"))
    score = Scorer(pictures=val, nms=nms, batch_size=train.batch_size, device=ground.device)
    before = score(network)
    recipe = recipe_of(train, prune.recover)
    with tuned(
        ground, network, pictures, recipe=recipe, settings=(prune, train, nms), score=score, start=before
    ) as result:
        after = score(network)
        print(f"prune: val mAP50-95 {before.map50_95:.4f} as cut, {after.map50_95:.4f} recovered", flush=True)
        save_network(target, network)
        write_json(target / "pruning.json", pruning_as_dict(report, policy))
        write_history(target / "history.csv", result.history)
        write_metrics(
            target / "metrics.json",
            result,
            parameters=report.after.parameters,
            macs=report.after.macs,
            val=after,
            val_before_recovery=before,
        )


def _say_what_stays(report: "PruningReport") -> None:
    from netwright.compression.reports import thinned_layers

    print(
        f"prune: {report.after.macs / report.before.macs:.1%} of the multiply-accumulates and "
        f"{report.after.parameters / report.before.parameters:.1%} of the parameters are kept",
        flush=True,
    )
    if thin := thinned_layers(report):
        names = ", ".join(f"{layer.name} ({layer.channels_after} of {layer.channels_before})" for layer in thin)
        print(f"prune: little stays of {names}: where the accuracy does not come back, prune.exclude them", flush=True)


def review(jobs: Sequence[Job]) -> None:
    """Print accuracy, size and latency over what was asked, beside the network that all jobs started from."""
    from stages._training.curve import print_curve

    print_curve(paths.TRAINED, paths.PRUNED, jobs)


@stage("prune", review)
def main(settings: Settings, host: Host) -> None:
    """Hydra entrypoint."""
    ground = Ground(
        stage="prune",
        data=paths.CONVERTED,
        source=paths.TRAINED,
        device=host.device,
        scratch=host.scratch,
        workers=host.workers,
        processes=host.processes,
    )
    run(settings.prune, settings.train, settings.nms, ground=ground, target=paths.PRUNED)


if __name__ == "__main__":
    main()
