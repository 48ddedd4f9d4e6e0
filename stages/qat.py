"""qat: data/converted and models/pruned to models/quantized, an INT8 network with fake quantizers, fine-tuned."""

from pathlib import Path

from netwright.types import NmsPolicy
from stages import paths
from stages._entry import Host, stage
from stages.settings import Qat, Recovery, Settings, Train


def run(
    qat: Qat,
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
    """Fold, calibrate and fine-tune the network of ``source``; write the best on val to ``target``.

    The calibrated network before any fine-tuning is one of the candidates.
    """
    import torch

    from netwright.artifacts.whole_file import write_json
    from netwright.compression.calibration import calibrate
    from netwright.compression.fake_quant import QuantizedDetector
    from netwright.compression.folding import fold_batch_norms
    from netwright.compression.quantized import load_network, record_quantizers, save_network
    from netwright.compression.reports import quantization_as_dict
    from netwright.data.feeding.pictures import load_pictures
    from netwright.evaluation.detect import score_network
    from netwright.models.cost import macs_of, parameters_of
    from netwright.training.loop import fit
    from stages._training.epochs import EpochReporter, recipe_of, write_history, write_metrics
    from stages._training.resume import resumable

    torch.set_num_threads(train.threads)
    network = QuantizedDetector(fold_batch_norms(load_network(source))).to(device)
    pictures = load_pictures(data, "train", network.architecture.input, scratch=scratch, workers=workers)
    val = load_pictures(data, "val", network.architecture.input, scratch=scratch, workers=workers)
    pixels = torch.tensor(pictures.pixels[: qat.calibration_images])
    batches = (pixels[at : at + train.batch_size].float() for at in range(0, len(pixels), train.batch_size))
    calibrate(network, batches, qat.calibration)
    before = score_network(network, val, nms, batch_size=train.batch_size, device=device)
    print(
        f"qat: val mAP50-95 {before.map50_95:.4f} calibrated on {len(pixels)} pictures ({qat.calibration})", flush=True
    )
    reporter = EpochReporter("qat", qat.epochs, scratch)
    with resumable(
        "qat", settings=(qat, train, nms), data=data, source=source, device=device, scratch=scratch
    ) as checkpoints:
        result = fit(
            network,
            pictures,
            recipe=recipe_of(train, Recovery(epochs=qat.epochs, learning_rate=qat.learning_rate)),
            device=device,
            score=lambda candidate: score_network(candidate, val, nms, batch_size=train.batch_size, device=device),
            on_epoch=reporter,
            checkpoints=checkpoints,
            on_resume=reporter.resumed,
            start=before,
        )
        record_quantizers(network)
        after = score_network(network, val, nms, batch_size=train.batch_size, device=device)
        print(f"qat: val mAP50-95 {after.map50_95:.4f} (epoch {result.best_epoch})", flush=True)
        save_network(target, network)
        write_json(
            target / "quantization.json",
            quantization_as_dict(network.architecture, calibration=qat.calibration, images=len(pixels)),
        )
        write_history(target / "history.csv", result.history)
        write_metrics(
            target / "metrics.json",
            epochs=len(result.history),
            best_epoch=result.best_epoch,
            parameters=parameters_of(network),
            macs=macs_of(network),
            val=after,
            val_ptq=before,
        )


@stage("qat")
def main(settings: Settings, host: Host) -> None:
    """Hydra entrypoint."""
    run(
        settings.qat,
        settings.train,
        settings.nms,
        data=paths.CONVERTED,
        source=paths.PRUNED,
        target=paths.QUANTIZED,
        device=host.device,
        scratch=host.scratch,
        workers=host.workers,
    )


if __name__ == "__main__":
    main()
