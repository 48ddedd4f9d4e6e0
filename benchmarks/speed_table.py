"""What train_speed has measured, in lines: each arithmetic, ours beside Ultralytics', and how much faster the mixed."""

import statistics
from collections.abc import Sequence
from typing import Any

PEERS = {"fp32": (False, False), "tf32": (False, True), "bf16": (True, True), "fp16": (True, True)}  # (AMP, TF32)
Found = dict[str, list[dict[str, Any]]]
Peer = tuple[bool, bool]


def table(found: Found, peers: dict[Peer, list[float]]) -> list[str]:
    """A line for each arithmetic, and how much faster the mixed ones are."""
    rates: dict[str, float] = {}
    lines = []
    for name, runs in found.items():
        good = [run for run in runs if "failed" not in run]
        if good:
            ours_ = [run["images_per_second"] for run in good]
            rates[name] = statistics.fmean(ours_)
            wait = statistics.fmean(run["data_wait_share"] for run in good)
            line = f"  {name} {_rate(ours_)}, data wait {wait:.1%}"
            if peer := peers.get(PEERS[name]):
                line += f"; Ultralytics {_rate(peer)}: ours {rates[name] / statistics.fmean(peer):.2f} times"
            lines.append(line)
        lines += [f"  {name} failed: {run['failed']}" for run in runs if "failed" in run]
    pairs = [(mixed, plain) for mixed in ("bf16", "fp16") for plain in ("fp32", "tf32")]
    known = [pair for pair in pairs if rates.keys() >= set(pair)]
    return lines + [f"  {mixed} against {plain}: {rates[mixed] / rates[plain]:.2f} times" for mixed, plain in known]


def _rate(values: Sequence[float]) -> str:
    return f"{statistics.fmean(values):.1f} images/s ({', '.join(f'{value:.1f}' for value in values)})"
