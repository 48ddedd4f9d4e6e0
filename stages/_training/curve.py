"""The quick look of a multirun over one stage: accuracy, size and latency of each job's network, nothing exported."""

import json
import random
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stages._entry import Job

ROUNDS, WARMUP = 15, 2


def print_curve(source: Path, target: Path, jobs: Sequence[Job]) -> None:
    """A row for the network in ``source``, which the jobs started from, and one for each job's in ``target``.

    Latency is torch's on the CPU, fp32, one picture: how networks compare, not what an export will reach. All are
    timed in turns, in a new random order each round, so that a slow moment hits all alike.
    """
    from rich.console import Console
    from rich.table import Table

    common = set.intersection(*(set(job.overrides) for job in jobs)) if len(jobs) > 1 else set()
    asked = [", ".join(text for text in job.overrides if text not in common) for job in jobs]
    folders = {source.name: source} | {name: job.folder / target for name, job in zip(asked, jobs, strict=True)}
    facts = {name: _facts(folder, before=jobs[0].folder / target) for name, folder in folders.items()}
    latency = measured(folders)
    table = Table(box=None, pad_edge=False, header_style="bold", title=", ".join(sorted(common)), title_justify="left")
    for title in ("", "val mAP50-95", "as cut", "parameters", "MACs", "ms (torch)"):
        table.add_column(title, justify="right" if title else "left")
    for name in folders:
        table.add_row(name, *_cells(facts[name], facts[source.name]), f"{latency[name]:.2f}")
    console = Console(highlight=False)
    console.width = max(console.width, 100)
    console.print(table)


def measured(folders: Mapping[str, Path]) -> dict[str, float]:
    """Median milliseconds of each model folder's network for one picture, with the threads torch has."""
    import torch

    from netwright.compression.quantized import load_network

    networks = {name: load_network(folder) for name, folder in folders.items()}
    spec = next(iter(networks.values())).architecture.input
    picture = torch.zeros(1, 3, spec.height, spec.width).contiguous(memory_format=torch.channels_last)
    taken: dict[str, list[float]] = {name: [] for name in networks}
    order, names = random.Random(0), list(networks)
    with torch.inference_mode():
        for number in range(WARMUP + ROUNDS):
            order.shuffle(names)
            for name in names:
                begun = time.perf_counter()
                networks[name](picture)
                if number >= WARMUP:
                    taken[name].append(1e3 * (time.perf_counter() - begun))
    return {name: statistics.median(values) for name, values in taken.items()}


def _facts(folder: Path, *, before: Path) -> dict[str, Any]:
    """The metrics of a model folder; of one put there without any, the size that the cut in ``before`` found."""
    path = folder / "metrics.json"
    facts: dict[str, Any] = json.loads((path if path.is_file() else before / "pruning.json").read_text("utf-8"))
    return facts if path.is_file() else facts["before"]


def _cells(facts: Mapping[str, Any], whole: Mapping[str, Any]) -> list[str]:
    scores = [facts.get(key) for key in ("val", "val_before_recovery")]
    sizes = [f"{facts[key] / 1e6:.2f} M ({facts[key] / whole[key]:.0%})" for key in ("parameters", "macs")]
    return [*(f"{score['map50_95']:.4f}" if score else "" for score in scores), *sizes]
