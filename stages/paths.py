"""Where stages meet: the folders that dvc.yaml names as outs, relative to the project."""

from pathlib import Path

CONVERTED = Path("data/converted")
INIT = Path("models/init")
TRAINED = Path("models/trained")
PRUNED = Path("models/pruned")
QUANTIZED = Path("models/quantized")
EXPORTS = Path("exports")
REPORTS = Path("reports")
MACHINE = Path("machine.json")
