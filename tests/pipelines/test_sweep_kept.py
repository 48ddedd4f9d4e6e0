"""What of a trial outlives its slot."""

from pathlib import Path

from pipelines.sweep.kept import forget_results, keep_results

KEPT = ("params.yaml", "dvc.lock", "exports/a.onnx", "reports/raw/x.parquet", "models/pruned/history.csv")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_results_are_kept_networks_are_not_and_old_ones_are_replaced_whole(tmp_path: Path) -> None:
    slot, folder = tmp_path / "slot", tmp_path / "results"
    for name in (*KEPT, "models/pruned/model.safetensors", "code.py"):
        write(slot / name, "new")
    write(folder / "exports/of_before.onnx", "old")
    write(folder / "log.txt", "said")
    keep_results(slot, folder)
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {*KEPT, "log.txt"}
    forget_results(folder)
    assert {path.name for path in folder.rglob("*") if path.is_file()} == {"params.yaml", "log.txt"}
