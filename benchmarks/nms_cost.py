"""What non-maximum suppression costs on a CPU: ms of one picture, beside the network's own pass.

    python -m benchmarks.nms_cost [--model models/trained] [--data data/converted] [--split val] [--threads 1]

Medians over the split's pictures, network and NMS in turns; candidates are (box, class) pairs above the threshold.
"""

import argparse
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch
import yaml

from netwright.compression.quantized import load_network
from netwright.data.feeding.pictures import load_pictures
from netwright.evaluation.postprocess import postprocess
from netwright.types import NmsPolicy


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("models/trained"))
    parser.add_argument("--data", type=Path, default=Path("data/converted"))
    parser.add_argument("--split", default="val")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    policy = NmsPolicy(**yaml.safe_load(Path("params.yaml").read_text("utf-8"))["nms"])
    network = load_network(given.model).eval()
    pictures = load_pictures(given.data, given.split, network.architecture.input)
    passes, suppressions, candidates = [], [], []
    for index, geometry in enumerate(pictures.geometries):
        pixels = torch.from_numpy(pictures.pixels[index : index + 1].astype(np.float32))
        with torch.inference_mode():
            begun = time.perf_counter()
            boxes, scores = network(pixels)
            between = time.perf_counter()
            postprocess(boxes[0], scores[0], geometry, policy)
        passes.append(between - begun)
        suppressions.append(time.perf_counter() - between)
        candidates.append(int((scores > policy.score_threshold).sum()))
    print(f"{len(pictures)} pictures, {given.threads} thread(s), score threshold {policy.score_threshold}")
    print(f"network {1e3 * median(passes):.2f} ms, NMS {1e3 * median(suppressions):.2f} ms (medians)")
    print(f"candidates of a picture: median {median(candidates):.0f}, most {max(candidates)}")


if __name__ == "__main__":
    main()
