"""qat: data/converted and models/pruned to models/quantized, an INT8 network with fake quantizers, fine-tuned."""

from pathlib import Path

from netwright.types import NmsPolicy
from stages import paths
from stages._entry import Host, stage
from stages._training.tuned import Ground, Scorer, tuned
from stages.settings import Qat, Recovery, Settings, Train


def run(qat: Qat, train: Train, nms: NmsPolicy, *, ground: Ground, target: Path) -> None:
    """Fold, calibrate and fine-tune the network of ``ground``; write the best on val to ``target``.

    The calibrated network before any fine-tuning is one of the candidates.
    """
    import torch

    from netwright.artifacts.whole_file import write_json
    from netwright.compression.calibration import calibrate
    from netwright.compression.fake_quant import QuantizedDetector
    from netwright.compression.folding import fold_batch_norms
    from netwright.compression.quantized import load_network, record_quantizers, save_network
    from netwright.compression.reports import quantization_as_dict
    from netwright.models.cost import macs_of, parameters_of
    from stages._training.epochs import recipe_of, write_history, write_metrics

    torch.set_num_threads(train.threads)
    network = QuantizedDetector(fold_batch_norms(load_network(ground.source))).to(ground.device)
    pictures, val = (ground.pictures(split, network.architecture) for split in ("train", "val"))
    score = Scorer(pictures=val, nms=nms, batch_size=train.batch_size, device=ground.device)
    pixels = torch.tensor(pictures.pixels[: qat.calibration_images])
    batches = (pixels[at : at + train.batch_size].float() for at in range(0, len(pixels), train.batch_size))
    calibrate(network, batches, qat.calibration)
    before = score(network)
    print(
        f"qat: val mAP50-95 {before.map50_95:.4f} calibrated on {len(pixels)} pictures ({qat.calibration})", flush=True
    )
    recipe = recipe_of(train, Recovery(epochs=qat.epochs, learning_rate=qat.learning_rate))
    with tuned(
        ground, network, pictures, recipe=recipe, settings=(qat, train, nms), score=score, start=before
    ) as result:
        record_quantizers(network)
        after = score(network)
        print(f"qat: val mAP50-95 {after.map50_95:.4f} (epoch {result.best_epoch})", flush=True)
        save_network(target, network)
        write_json(
            target / "quantization.json",
            quantization_as_dict(network.architecture, calibration=qat.calibration, images=len(pixels)),
        )
        write_history(target / "history.csv", result.history)
        write_metrics(
            target / "metrics.json",
            result,
            parameters=parameters_of(network),
            macs=macs_of(network),
            val=after,
            val_ptq=before,
        )


@stage("qat")
def main(settings: Settings, host: Host) -> None:
    """Hydra entrypoint."""
    ground = Ground(
        stage="qat",
        data=paths.CONVERTED,
        source=paths.PRUNED,
        device=host.device,
        scratch=host.scratch,
        workers=host.workers,
        processes=host.processes,
    )
    run(settings.qat, settings.train, settings.nms, ground=ground, target=paths.QUANTIZED)


if __name__ == "__main__":
    main()
