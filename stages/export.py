"""export: the three models to ONNX files for each precision, and bundle.json."""

from pathlib import Path
from typing import TYPE_CHECKING

from stages import paths
from stages._entry import Host, stage
from stages.settings import Export, Settings

if TYPE_CHECKING:
    import onnx

    from netwright.artifacts.bundle import ExportEntry
    from netwright.models.detector import Detector

TOOLS = ("torch", "onnx", "onnxsim", "nvidia-modelopt")


def run(export: Export, *, models: dict[str, Path], target: Path) -> None:
    """Write an fp32 file for ``trained`` and ``pruned`` and two INT8 encodings for ``quantized``, then the bundle.

    ``models`` maps those names to model folders; ``target`` loses files of an earlier run.
    """
    from importlib.metadata import version

    from netwright.artifacts.bundle import Bundle, write_bundle
    from netwright.compression.quantized import load_network

    networks = {model: load_network(folder) for model, folder in models.items()}
    for old in (*target.glob("*.onnx"), *target.glob("bundle.json")):
        old.unlink()
    entries = []
    for model, network in networks.items():
        for name, encoding, exported, notes in _files_of(model, network, export):
            entries.append(_write(target, name, model, encoding, exported, notes, network))
            print(f"export: {entries[-1].file}  {entries[-1].size_bytes / 1e6:.2f} MB  {'; '.join(notes)}", flush=True)
    architecture = network.architecture
    tools = {name: version(name) for name in TOOLS}
    bundle = Bundle(input=architecture.input, classes=architecture.classes, exports=tuple(entries), tools=tools)
    write_bundle(target, bundle)


def _files_of(
    model: str, network: "Detector", export: Export
) -> "list[tuple[str, str, onnx.ModelProto, tuple[str, ...]]]":
    """Name, encoding, graph and notes of each file that ``network`` becomes."""
    from netwright.deployment.onnx_export import export_onnx
    from netwright.deployment.qdq_rewrite import fold_weights, merge_zero_pads, unsigned_copy

    made = export_onnx(network, network.architecture, opset=export.opset, simplify=export.simplify)
    folded, merged = fold_weights(made.model), merge_zero_pads(made.model)
    if not network.architecture.quantizers:
        return [(f"{model}_fp32", "none", made.model, made.notes)]
    notes = (*made.notes, f"{folded} weights stored as int8, {merged} pads merged")
    unsigned = unsigned_copy(made.model, network.architecture.input)
    equal = (
        "activations uint8 with zero point 128 and clipped as integers, outputs equal to the signed file's to the bit"
    )
    return [
        (f"{model}_int8", "signed", made.model, notes),
        (f"{model}_int8_x86", "unsigned", unsigned, (*notes, equal)),
    ]


def _write(
    target: Path,
    name: str,
    model: str,
    encoding: str,
    exported: "onnx.ModelProto",
    notes: tuple[str, ...],
    network: "Detector",
) -> "ExportEntry":
    from netwright.artifacts.bundle import ExportEntry
    from netwright.artifacts.whole_file import sha256_of, write_bytes
    from netwright.deployment.graph import shapes_of
    from netwright.models.cost import macs_of, parameters_of

    path = target / f"{name}.onnx"
    write_bytes(path, exported.SerializeToString(deterministic=True))
    return ExportEntry(
        name=name,
        file=path.name,
        sha256=sha256_of(path),
        size_bytes=path.stat().st_size,
        model=model,
        precision="fp32" if encoding == "none" else "int8",
        encoding=encoding,
        opset=exported.opset_import[0].version,
        inputs=shapes_of(exported.graph.input),
        outputs=shapes_of(exported.graph.output),
        params=parameters_of(network),
        macs=macs_of(network),
        notes=notes,
    )


@stage("export")
def main(settings: Settings, host: Host) -> None:  # noqa: ARG001
    """Hydra entrypoint."""
    models = {"trained": paths.TRAINED, "pruned": paths.PRUNED, "quantized": paths.QUANTIZED}
    run(settings.export, models=models, target=paths.EXPORTS)


if __name__ == "__main__":
    main()
