"""export and benchmark on a tiny chain of real model folders: plain, narrower, and fake-quantized by modelopt."""

import io
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image, ImageDraw

from netwright.artifacts.bundle import read_bundle
from netwright.artifacts.dataset import Record, write_dataset
from netwright.artifacts.report import read_report
from netwright.deployment import graph
from netwright.errors import UserError
from netwright.evaluation.coco import coco_accuracy
from netwright.evaluation.detections import read_detections
from netwright.types import Architecture, InputSpec, NmsPolicy
from stages import benchmark as benchmark_stage
from stages import export as export_stage
from stages.settings import Benchmark, Export

SIDE = 64
NMS = NmsPolicy(score_threshold=0.05)
SETTINGS = Benchmark(
    runtimes=["torch", "onnxruntime", "openvino", "tensorrt"],
    threads=1,
    batch=2,
    warmup=1,
    rounds=4,
    deployed="quantized_int8@openvino",
    baseline="trained_fp32@openvino",
    parity_images=4,
    parity_atol=1e-3,
    parity_rtol=1e-3,
    gallery_images=2,
)


@dataclass(frozen=True)
class Chain:
    root: Path
    models: dict[str, Path]

    def export(self, target: Path) -> None:
        export_stage.run(Export(opset=18, simplify=True), models=self.models, target=target)

    def benchmark(self, settings: Benchmark, target: Path, exports: Path | None = None) -> dict[str, Any]:
        return benchmark_stage.run(
            settings,
            NMS,
            data=self.root / "converted",
            exports=exports or self.root / "exports",
            models=self.models,
            machine=self.root / "machine.json",
            target=target,
            engines=self.root / "engines",
            scratch=self.root / "scratch",
            device="cpu",
        )


def squares(split: str, count: int) -> list[Record]:
    """Pictures of one or two filled squares on noise."""
    random = np.random.default_rng(len(split))
    records = []
    for number in range(count):
        picture = Image.fromarray(random.integers(0, 80, (48, SIDE, 3), dtype=np.uint8))
        left, top, side = (int(value) for value in random.integers(4, 20, 3))
        box = [left, top, left + side + 8, top + side + 8]
        ImageDraw.Draw(picture).rectangle(box, fill=(220, 40 + 90 * (number % 2), 40))
        stream = io.BytesIO()
        picture.save(stream, "PNG")
        records.append(
            Record(
                name=f"{split}-{number:02d}",
                split=split,
                image=stream.getvalue(),
                width=SIDE,
                height=48,
                boxes=np.array([box], np.float32),
                labels=np.array([number % 2], np.int64),
            )
        )
    return records


def build_models(root: Path) -> dict[str, Path]:
    from netwright.artifacts.model import save_model_files
    from netwright.compression.calibration import calibrate
    from netwright.compression.fake_quant import QuantizedDetector
    from netwright.compression.folding import fold_batch_norms
    from netwright.compression.quantized import load_network, record_quantizers, save_network
    from netwright.data.feeding.pictures import load_pictures
    from netwright.models.build import build_network

    pictures = load_pictures(root / "converted", "train", InputSpec(height=SIDE, width=SIDE))
    pixels = torch.tensor(pictures.pixels).float()
    folders = {name: root / name for name in ("trained", "pruned", "quantized")}
    for name, channels in (("trained", 32), ("pruned", 16)):
        torch.manual_seed(1)
        architecture = Architecture(
            builder="detector",
            backbone="test_efficientnet",
            levels=(8, 16, 32),
            neck_channels=channels,
            classes=("red", "orange"),
            input=InputSpec(height=SIDE, width=SIDE),
        )
        network = build_network(architecture)
        for layer in (*network.head.class_logits, *network.head.objectness):
            torch.nn.init.normal_(layer.weight, std=0.3)
            torch.nn.init.zeros_(layer.bias)
        with torch.no_grad():
            for _ in range(20):
                network.train()(pixels)
        save_model_files(folders[name], architecture, network.state_dict())
    quantized = QuantizedDetector(fold_batch_norms(load_network(folders["pruned"])))
    calibrate(quantized, [pixels], "max")
    record_quantizers(quantized)
    save_network(folders["quantized"], quantized)
    return folders


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    root = tmp_path_factory.mktemp("chain")
    rows = [*squares("train", 8), *squares("val", 5), *squares("test", 5)]
    write_dataset(root / "converted", "squares", ("red", "orange"), rows)
    (root / "machine.json").write_text('{"cpu": {"model": "a processor"}}')
    made = Chain(root, build_models(root))
    made.export(root / "exports")
    return made


@pytest.fixture(scope="module")
def report(chain: Chain) -> dict[str, Any]:
    return chain.benchmark(SETTINGS, chain.root / "reports")


def test_bundle_names_four_files(chain: Chain) -> None:
    bundle = read_bundle(chain.root / "exports")
    told = {entry.name: (entry.model, entry.precision, entry.encoding) for entry in bundle.exports}
    assert told == {
        "trained_fp32": ("trained", "fp32", "none"),
        "pruned_fp32": ("pruned", "fp32", "none"),
        "quantized_int8": ("quantized", "int8", "signed"),
        "quantized_int8_x86": ("quantized", "int8", "unsigned"),
    }
    sizes = {entry.name: (entry.size_bytes, entry.params, entry.macs) for entry in bundle.exports}
    assert sizes["quantized_int8"][0] < 0.5 * sizes["pruned_fp32"][0]  # so small a network is largely names
    assert sizes["pruned_fp32"][2] == sizes["quantized_int8"][2] < sizes["trained_fp32"][2]
    assert bundle.exports[0].outputs["scores"] == ("batch", 84, 2)


def test_int8_files_hold_int8_weights_and_no_stray_nodes(chain: Chain) -> None:
    for name in ("quantized_int8", "quantized_int8_x86"):
        model = onnx.load(chain.root / "exports" / f"{name}.onnx")
        kernels = [tensor.data_type for tensor in model.graph.initializer if len(tensor.dims) == 4]
        assert set(kernels) <= {onnx.TensorProto.INT8, onnx.TensorProto.FLOAT}
        assert kernels.count(onnx.TensorProto.INT8) > 0.8 * graph.count(model, "Conv")
        assert graph.count(model, "BatchNormalization") == graph.count(model, "Pad") == 0


def test_exporting_again_gives_the_same_bytes(chain: Chain, tmp_path: Path) -> None:
    (tmp_path / "left_over.onnx").write_bytes(b"of an earlier run")
    chain.export(tmp_path)
    first = {path.name: path.read_bytes() for path in (chain.root / "exports").iterdir()}
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first


def test_every_export_runs_on_every_runtime_but_the_missing_one(report: dict[str, Any]) -> None:
    status = {f"{row['export']}@{row['runtime']}": row["status"] for row in report["rows"]}
    exports = ("trained_fp32", "pruned_fp32", "quantized_int8", "quantized_int8_x86")
    present = {f"{export}@{runtime}": "ok" for export in exports for runtime in ("torch", "onnxruntime", "openvino")}
    del present["quantized_int8_x86@torch"]
    assert status == present | {f"{export}@tensorrt": "not_run" for export in exports}
    missing = [row["reason"] for row in report["rows"] if row["runtime"] == "tensorrt"]
    assert all("pip install -e '.[tensorrt]'" in reason or "NVIDIA GPU" in reason for reason in missing)


def test_fp32_rows_agree_with_torch(report: dict[str, Any]) -> None:
    """Tensors do; a random network's mAP may still move with bf16, which the verdict then says."""
    for row in report["rows"]:
        if row["status"] == "ok" and row["runtime"] != "torch" and row["precision"] == "fp32":
            assert row["parity"]["outputs"]["scores"]["max_abs"] < 1e-3, row["export"]
        if row["status"] == "ok" and row["precision_used"] == "fp32" and row["runtime"] == "onnxruntime":
            assert row["parity"]["status"] == "passed", row["parity"]


def test_parity_says_what_it_rests_on(report: dict[str, Any]) -> None:
    compared = [row["parity"] for row in report["rows"] if row["status"] == "ok" and row["runtime"] != "torch"]
    assert {parity["images"] for parity in compared} == {4}
    assert all(parity["compared_in"].startswith("fp32") for parity in compared)  # not bf16, not integer kernels
    assert all(parity["tolerance"]["boxes"] > 0 for parity in compared)


def test_report_page_and_raw_files_are_written(chain: Chain, report: dict[str, Any]) -> None:
    folder = chain.root / "reports"
    assert read_report(folder) == json.loads(json.dumps(report))
    assert "squares" in (folder / "index.html").read_text("utf-8")
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    assert metrics["speedup_low"] <= metrics["speedup"] <= metrics["speedup_high"]
    assert metrics["macs_ratio"] > 1
    assert {name for name in metrics if name.startswith("pruning/openvino")}


def test_accuracy_and_latency_can_be_recomputed_from_the_raw_files(chain: Chain, report: dict[str, Any]) -> None:
    from netwright.data.feeding.pictures import load_pictures

    row = next(row for row in report["rows"] if row["export"] == "pruned_fp32" and row["runtime"] == "onnxruntime")
    raw = chain.root / "reports" / "raw"
    pictures = load_pictures(chain.root / "converted", "test", InputSpec(height=SIDE, width=SIDE))
    found = {
        name: detections
        for export, runtime, split, name, detections in read_detections(raw / "detections.parquet")
        if (export, runtime, split) == ("pruned_fp32", "onnxruntime", "test")
    }
    accuracy = coco_accuracy(pictures, [found[name] for name in pictures.names])
    assert accuracy.map50_95 == pytest.approx(row["test"]["map50_95"])
    taken = [
        line["milliseconds"]
        for line in pq.read_table(raw / "latencies.parquet").to_pylist()
        if (line["export"], line["runtime"]) == ("pruned_fp32", "onnxruntime")
    ]
    assert np.percentile(taken, 95) == pytest.approx(row["latency_ms"]["p95"])
    assert row["throughput_ips"] == pytest.approx(2000 / np.median(taken))


def test_exchanged_export_fails_parity(chain: Chain, tmp_path: Path) -> None:
    """A file that is not what its network computes must not pass, though the bundle's hash fits."""
    chain.export(tmp_path / "exports")
    path = tmp_path / "exports" / "pruned_fp32.onnx"
    model = onnx.load(path)
    weight = [tensor for tensor in model.graph.initializer if len(tensor.dims) == 4][8]
    weight.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weight) * np.float32(1.05), weight.name))
    onnx.save(model, path)
    told = json.loads((tmp_path / "exports" / "bundle.json").read_text("utf-8"))
    from netwright.artifacts.whole_file import sha256_of

    told["exports"][1]["sha256"] = sha256_of(path)
    (tmp_path / "exports" / "bundle.json").write_text(json.dumps(told))
    settings = replace(
        SETTINGS,
        runtimes=["torch", "onnxruntime"],
        deployed="pruned_fp32@onnxruntime",
        baseline="trained_fp32@onnxruntime",
    )
    found = chain.benchmark(settings, tmp_path / "reports", tmp_path / "exports")
    verdicts = {row["export"]: row["parity"]["status"] for row in found["rows"] if row["runtime"] == "onnxruntime"}
    assert verdicts["pruned_fp32"] == "failed"
    assert verdicts["trained_fp32"] == "passed"
    metrics = json.loads((tmp_path / "reports" / "metrics.json").read_text("utf-8"))
    assert metrics["parity/passed"] == 0


@pytest.mark.parametrize("key", ["deployed", "baseline"])
@pytest.mark.parametrize("name", ["pruned_int4@openvino", "quantized_int8_x86@torch"])
def test_headline_row_that_cannot_be_is_refused_at_once(chain: Chain, key: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"benchmark\.{key} is .{name}.: it must be one of"):
        chain.benchmark(replace(SETTINGS, **{key: name}), tmp_path)
    assert not list(tmp_path.iterdir())


def test_benchmark_before_export_says_what_to_run(chain: Chain, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run the export stage first"):
        chain.benchmark(SETTINGS, tmp_path / "reports", tmp_path / "exports")
