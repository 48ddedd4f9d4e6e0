"""A named recipe with one seed, where it is trained, and the network that it starts from."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from netwright.artifacts.dataset import read_manifest
from netwright.data.feeding.pictures import PictureSet, load_pictures
from netwright.errors import UserError
from netwright.models.build import build_network
from netwright.models.catalog import RANDOM, find_weights
from netwright.models.detector import Detector
from netwright.models.initialise import initialise
from netwright.types import SPLITS, InputSpec
from stages.pretrain_init import describe
from stages.settings import Settings

SECTIONS = ("dataset", "model", "pretrain_init", "train", "nms")  # what decides an outcome
WARM_EPOCHS = 5  # kernels are chosen, memory is taken and graphs are captured in these


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where to train: the dataset, scratch for decoded pictures, results, device.

    ``backbone`` is a safetensors file that stands for every catalog entry (None: the catalog itself);
    ``keep_models`` writes the weights too.
    """

    data: Path
    scratch: Path
    out: Path
    device: str
    backbone: Path | None = None
    keep_models: bool = False


@dataclass(frozen=True, kw_only=True)
class Run:
    """``recipe`` with ``seed``, which has gone into ``settings``. ``inputs`` is a hash of what it reads."""

    recipe: str
    seed: int
    settings: Settings
    inputs: str = ""

    @property
    def name(self) -> str:
        """What files and messages call it."""
        return f"{self.recipe}-{self.seed}"

    @property
    def key(self) -> str:
        """Equal keys mean equal values and equal inputs."""
        values = [asdict(getattr(self.settings, section)) for section in SECTIONS]
        return hashlib.sha256(json.dumps([self.inputs, *values], sort_keys=True).encode()).hexdigest()[:12]


def seeded(recipe: str, seed: int, settings: Settings, inputs: str = "") -> Run:
    """The run whose first weights, batches and augmentation come from ``seed``."""
    train, init = replace(settings.train, seed=seed), replace(settings.pretrain_init, seed=seed)
    own = replace(settings, train=train, pretrain_init=init)
    return Run(recipe=recipe, seed=seed, settings=own, inputs=inputs)


def prepare(runs: Sequence[Run], place: Place) -> None:
    """Find out what cannot work and decode every picture, before any device is used."""
    if place.device == "cuda" and not torch.cuda.is_available():
        raise UserError("--device is cuda, and torch sees no CUDA device here")
    done = set()
    for run in runs:
        torch.set_num_threads(run.settings.train.threads)
        shape = (run.settings.model, run.settings.pretrain_init.weights)
        if repr(shape) in done:
            continue
        done.add(repr(shape))
        spec = start_network(run, place).architecture.input
        sizes = "/".join(str(len(pictures)) for pictures in pictures_for(spec, place).values())
        print(f"{run.recipe}: {spec.width}x{spec.height}, {sizes} pictures", flush=True)


def start_network(run: Run, place: Place) -> Detector:
    """The network that ``run`` trains, on the CPU."""
    model, weights = run.settings.model, run.settings.pretrain_init.weights
    if place.backbone and weights != RANDOM and not weights.endswith(".safetensors"):
        weights = str(place.backbone)
    source = find_weights(weights, model.backbone)
    network = build_network(describe(model, read_manifest(place.data).classes, source.mean, source.std))
    initialise(network, weights, run.settings.pretrain_init.seed)
    return network


def pictures_for(spec: InputSpec, place: Place) -> dict[str, PictureSet]:
    """Every split, for a network with this input."""
    return {split: load_pictures(place.data, split, spec, scratch=place.scratch) for split in SPLITS}
